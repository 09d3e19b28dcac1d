"""`npu-launch diagnose`: why a run failed, or what logs from anywhere say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import AttemptOption, JsonOption, one_of

if TYPE_CHECKING:
    from launcher.diagnose.verdict import Verdict
    from launcher.runs.store import RunDirectory

_STREAM = "-"


def diagnose(
    context: typer.Context,
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN|PATH|-",
            help="A run; a folder, an archive or a file of logs; - for standard input. Default: the latest run.",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show all that led to it.")] = False,
    as_json: JsonOption = False,
    attempt: AttemptOption = None,
    lang: Annotated[
        str, typer.Option("--lang", metavar="[en|zh]", parser=one_of("--lang", "en", "zh"), help="Of the answer.")
    ] = "en",
) -> int:
    """Say which rank broke first, why, and what to change.

    A run is read with its record; logs from elsewhere (a bundle, a folder that
    somebody sent, one file) by what names and lines say of their ranks. Finding
    a fault is no error: the exit code is 0 whatever is found.

    \b
    npu-launch diagnose                          the latest run
    npu-launch diagnose resnext-8p-7f3a --explain
    npu-launch diagnose logs.tar.gz --json
    ssh host dmesg | npu-launch diagnose -
    """
    from launcher.cli.delegation import elsewhere
    from launcher.cli.output import put
    from launcher.cli.verdict_words import Lang, words
    from launcher.errors import UsageError
    from launcher.logs.safe import safe_line

    path = _path_of(what)
    if path is not None:
        if attempt is not None:
            raise UsageError("--attempt is of a run", expected=f"a run, or {path} without --attempt")
        found, heading = _of_logs(path), str(path)
    else:
        from launcher.runs.store import find_run

        run = find_run(what)
        if (away := elsewhere(run, to_read=True)) is not None:
            return away.do_the_same(context)
        found, heading = _of_run(run, attempt)
    if as_json:
        put(found.model_dump_json(indent=2))
    else:
        from launcher.cli.verdict_chain import chain
        from launcher.cli.verdict_text import labelled, verdict_facts

        said = words(Lang(lang))
        run_id = found.subject.name if found.subject.kind == "run" else None
        lines = chain(found, said) if explain else labelled(list(verdict_facts(found, said, run_id)), said)
        put("\n".join([safe_line(heading), *lines]))
    return 0


def _path_of(what: str | None) -> Path | None:
    """The path that is meant, or None for a run: an id that is one wins over a file of that name."""
    if what is None:
        return None
    if what == _STREAM or "/" in what:
        return Path(what)
    if not Path(what).exists():
        return None
    from launcher.runs.store import all_runs

    return None if any(run.id == what for run in all_runs()) else Path(what)


def _of_logs(path: Path) -> Verdict:
    import sys

    from launcher.diagnose.of_logs import diagnose_path, diagnose_stream

    return diagnose_stream(sys.stdin.buffer) if path == Path(_STREAM) else diagnose_path(path)


def _of_run(run: RunDirectory, number: int | None) -> tuple[Verdict, str]:
    """What is found of an attempt now, which is kept if it has ended; and the first line about it."""
    import time

    from launcher.cli.summary import headline
    from launcher.cli.view import look
    from launcher.diagnose.kept import keep
    from launcher.diagnose.of_run import diagnose_attempt
    from launcher.errors import UsageError
    from launcher.supervise.followed_record import settle

    state = settle(run)
    numbers = [each.number for each in state.attempts]
    chosen = numbers[-1] if number is None and numbers else number
    if chosen not in numbers:
        known = ", ".join(map(str, numbers)) or "an attempt, which begins when ranks are started"
        raise UsageError(f"run {run.id} has no attempt {chosen or 'yet'}", expected=f"one of {known}")
    found = diagnose_attempt(run, chosen)
    if state.attempts[numbers.index(chosen)].ended is not None:
        keep(run, chosen, found)
    is_last = chosen == numbers[-1]
    return found, headline(look(run, time.time())) if is_last else f"run {run.id}  attempt {chosen}"
