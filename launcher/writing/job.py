"""From a script as it was read to the job that it launches."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Sequence
from typing import Final

from launcher.errors import SpecError
from launcher.specs import Framework, Rendezvous
from launcher.writing.blanks import Blanks
from launcher.writing.declared import declared_in
from launcher.writing.frameworks import framework_of
from launcher.writing.launch import Launch, Note
from launcher.writing.leftovers import Leftovers
from launcher.writing.options import guess
from launcher.writing.owned import owned_by
from launcher.writing.shell.course import GUESS
from launcher.writing.shell.marks import is_known, real
from launcher.writing.shell.record import Reading
from launcher.writing.starts import Starter, program_of, start_of
from launcher.writing.together import RanksTogether, Started

_TRAINING: Final = ("train", "main", "run", "pretrain", "finetune", "posttrain")


def job_of(
    reading: Reading,
    text: str,
    name: str,
    read: Callable[[str], str | None],
    framework: Framework | None = None,
) -> Launch:
    """The job of a script.

    `text` is the script's own, `read` gives the text of a file or None, `framework` is what somebody has said it is.
    Raises SpecError when the script starts nothing that is known.
    """
    groups = _groups(reading)
    if not groups:
        raise SpecError(
            "starts nothing that npu-launch knows",
            expected="a line that runs python, mpirun, msrun, torchrun or python -m torch.distributed.launch",
            remedy="give the script that does; or npu-launch new NAME writes a recipe to fill in",
        )
    ranks = max(groups, key=_weight)
    first = ranks[0].start
    job = RanksTogether(reading, ranks, Blanks(reading, text))
    script, args, env, shown = job.script, job.args(), job.env(), job.blanks.text
    training = read(real(script)) if is_known(script) else None
    declared = declared_in(training or "")
    if guessed := guess(args, declared):
        job.says(guessed)
    kind = framework or _framework(first.starter, framework_of(training, first.starter, env, args, text), job)
    has_table = kind is Framework.MINDSPORE and first.starter is Starter.PYTHON and "RANK_TABLE_FILE" in env
    rendezvous = Rendezvous.RANK_TABLE if has_table else Rendezvous.AUTO
    if training is None and first.starter is not Starter.PROGRAM:
        job.says(f"{posixpath.basename(script)} was not found: see that `script` is right")
    env = job.without_owned(env, owned_by(kind, rendezvous))
    for others in groups:
        if others is not ranks:
            job.notes(others[0], f"starts {others[0].start.script}, which is a job of its own: it wants a recipe, too")
    left = Leftovers(reading, [each.by for each in ranks], [each.start.logs for each in ranks])
    return Launch(
        name=name,
        framework=kind,
        ranks=job.ranks,
        hosts=job.hosts,
        script=shown(script),
        args=tuple(map(shown, args)),
        flags=declared.flags,
        env={key: shown(value) for key, value in env.items()},
        cwd=job.cwd and shown(job.cwd),
        python=first.python,
        gang=first.starter is not Starter.PROGRAM,
        rendezvous=rendezvous,
        max_restarts=first.max_restarts,
        data=tuple(map(shown, job.blanks.data(args))),
        fill_ins=job.blanks.of((script, *args, *env.values(), job.cwd or "")),
        untranslated=_in_order((*job.untranslated, *left.untranslated), shown),
        left=_in_order((*job.left, *left.done_otherwise), shown),
    )


def _groups(reading: Reading) -> list[list[Started]]:
    """Starts of the same script, by whatever line; programs count where there is nothing else."""
    for read in (start_of, program_of):
        groups: dict[tuple[Starter, str], list[Started]] = {}
        for invocation in reading.invocations:
            start = read(invocation.argv)
            if start is not None:
                groups.setdefault((start.starter, start.script), []).append(Started(start, invocation))
        if groups:
            return list(groups.values())
    return []


def _framework(starter: Starter, told: Framework | None, job: RanksTogether) -> Framework:
    """What it trains with, when nobody has said it: a program of another kind is its own."""
    if starter is Starter.PROGRAM:
        return Framework.PLAIN
    if told is None:
        job.says("nothing tells the framework: plain is a guess, --framework says it")
    return told or Framework.PLAIN


def _weight(group: list[Started]) -> tuple[int, bool]:
    """How likely these are the ranks: the more processes the better, then by name."""
    processes = len(group) * (group[0].start.per_host or GUESS) * group[0].start.hosts
    return processes, posixpath.basename(group[0].start.script).startswith(_TRAINING)


def _in_order(notes: Sequence[Note], shown: Callable[[str], str]) -> tuple[Note, ...]:
    """By line, each once."""
    told = dict.fromkeys(Note(note.place, shown(note.what)) for note in notes)
    return tuple(sorted(told, key=lambda note: note.place.line))
