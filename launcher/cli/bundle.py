"""`npu-launch bundle`: a run as an archive that can be attached to a ticket."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import RunArgument, one_of

if TYPE_CHECKING:
    from launcher.cli.delegation import Away
    from launcher.runs.state import RunState
    from launcher.runs.store import RunDirectory

_STDOUT = Path("-")
_SECONDS = 300.0  # that making a bundle may take at the home of a run, the way of it here included


def bundle(
    run: RunArgument = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where to write it; - is stdout; default: RUN-bundle.tar.gz.",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        str,
        typer.Option("--lang", metavar="[en|zh]", parser=one_of("--lang", "en", "zh"), help="Of SUMMARY.md."),
    ] = "en",
) -> int:
    """Make an archive of a run that can be attached to a ticket.

    In it are recipe, cluster, plan, events, diagnosis, the first errors and the
    last lines of every rank, what the hosts said, and SUMMARY.md, ready to
    paste as an issue. Tokens, keys and passwords are taken out. Working folders
    and checkpoints are not in it. Look it through before you send it.

    \b
    npu-launch bundle
    npu-launch bundle resnext --lang zh -o /tmp/ticket.tar.gz
    npu-launch diagnose resnext-8p-7f3a-bundle.tar.gz
    """
    import sys

    from launcher.bundle.archive import write
    from launcher.cli.delegation import elsewhere
    from launcher.cli.output import put, talk
    from launcher.logs.safe import safe_line
    from launcher.runs.store import find_run

    found = find_run(run)
    away = elsewhere(found, to_read=True)
    content = _made_here(found, language) if away is None else _made_there(away, language)
    if output == _STDOUT:
        sys.stdout.buffer.write(content)
        return 0
    path = output or Path(f"{found.id}-bundle.tar.gz")
    if path.is_dir():
        path /= f"{found.id}-bundle.tar.gz"
    write(path, content)
    put(safe_line(str(path)))
    talk(f"npu-launch: {len(content) / (1 << 20):.1f} MB; the text for a ticket: tar -xOf FILE {found.id}/SUMMARY.md")
    return 0


def _made_here(run: RunDirectory, language: str) -> bytes:
    import time

    from launcher.bundle.archive import packed
    from launcher.bundle.collecting import collect
    from launcher.bundle.summary import Facts, summary
    from launcher.bundle.versions import versions
    from launcher.bundle.words import Language
    from launcher.cli.summary import summary as account
    from launcher.cli.summary_zh import summary_in_chinese
    from launcher.cli.view import last_words, look

    view = look(run, time.time())
    members, redactor = collect(run, view.state)
    why = _diagnosis(run, view.state, language)
    happened = summary_in_chinese(view) if language == Language.ZH else account(view)
    facts = Facts(view.state, happened, why, last_words(run, view.state), members, versions(members))
    text = summary(facts, redactor, Language(language))
    files = [(member.name, member.content) for member in members if not member.left_out]
    return packed(run.id, [*files, ("SUMMARY.md", text.encode("utf-8", "replace"))])


def _diagnosis(run: RunDirectory, state: RunState, language: str) -> list[str]:
    """What was found of the attempt that failed, in that language; nothing where nobody has looked."""
    from launcher.cli.diagnosing import kept_verdict
    from launcher.cli.verdict_chain import chain
    from launcher.cli.verdict_words import Lang, words

    found = kept_verdict(run, state)
    return [] if found is None else list(chain(found, words(Lang(language))))


def _made_there(away: Away, language: str) -> bytes:
    """What the run's home makes of it. Raises InfrastructureError."""
    from launcher.errors import InfrastructureError

    argv = [*away.at.command, "-m", "launcher.cli.main", "bundle", "-o", "-", "--lang", language, "--", away.run.id]
    with away.ways as ways:
        answer = ways(away.host).run(argv, timeout=_SECONDS)
    if answer.code != 0:
        said = answer.problem or answer.stderr.decode("utf-8", "replace").strip()[-300:]
        raise InfrastructureError(
            f"the bundle could not be made where the run lives: {said or f'exit code {answer.code}'}",
            where=f"host {away.host.name}",
            expected="npu-launch there, of this version",
            remedy="npu-launch up CLUSTER mends it",
        )
    return answer.stdout
