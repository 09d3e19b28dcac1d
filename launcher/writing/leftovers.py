"""What a script does beside starting its ranks: what npu-launch does otherwise, and what somebody has to see to."""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from fnmatch import fnmatch
from functools import cached_property
from typing import Final

from launcher.planning.environment import UNSET
from launcher.writing.launch import Note
from launcher.writing.shell.record import Invocation, Reading
from launcher.writing.shell.text_commands import joined
from launcher.writing.starts import program_of, start_of
from launcher.writing.wrappers import unwrapped

_SILENT: Final = frozenset({"sleep", "tee", "env", "printenv", "date", "echo", "printf", ":", "true"})
_OF_FOLDERS: Final = frozenset({"mkdir", "rm", "cp", "touch", "ln", "mv"})
_SET_ENV: Final = ("set_env.sh", "setenv.bash", "setenv.sh")
_REASONS: Final = {
    "ulimit": "limits are those of the shell that runs npu-launch",
    "trap": "what happens at the end of a run is npu-launch's",
    "getopts": "the options of the script itself are as if none were given",
    "read": "what it reads is not known",
    "unset": "a recipe takes no variable away: unset it before npu-launch",
    "source": "was not found: the variables that it sets are missing under env",
    ".": "was not found: the variables that it sets are missing under env",
}


def copied_from(reading: Reading, path: str) -> str | None:
    """What the script copies to this path; None when it does not."""
    for invocation in reading.invocations:
        operands = _operands(invocation)
        if invocation.argv[0] != "cp" or len(operands) < 2:
            continue
        *sources, target = (joined(invocation.cwd, word) for word in operands)
        for source in sources:
            if path == target:
                return source
            if not is_below(path, target):
                continue
            name, _, below = posixpath.relpath(path, target).partition("/")
            if fnmatch(name, posixpath.basename(source)):
                return posixpath.join(posixpath.dirname(source), name, below).rstrip("/")
    return None


def is_below(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")


def _operands(invocation: Invocation) -> tuple[str, ...]:
    return tuple(word for word in invocation.argv[1:] if not word.startswith("-"))


class Leftovers:
    """Sorts the commands of a script that are no starts; `ranks` are those that are, `logs` folders of their logs."""

    def __init__(self, reading: Reading, ranks: Sequence[Invocation], logs: Sequence[str]) -> None:
        self._reading = reading
        self._ranks = ranks
        self._logs = logs

    @cached_property
    def _folders(self) -> frozenset[str]:
        """Where the script's ranks run and log, which npu-launch has folders of its own for."""
        cwds = {each.cwd for each in self._ranks}
        logs = {posixpath.dirname(joined(each.cwd, each.output)) for each in self._ranks if each.output}
        given = {joined(rank.cwd, folder) for rank, folder in zip(self._ranks, self._logs, strict=True) if folder}
        made = {
            joined(each.cwd, word)
            for each in self._reading.invocations
            if each.argv[0] == "mkdir"
            for word in _operands(each)
        }
        return frozenset((cwds & made) | logs | given)

    @cached_property
    def done_otherwise(self) -> tuple[Note, ...]:
        """What needs nobody's attention, each line once."""
        return tuple(Note(each.place, what) for each in self._others for what in self._otherwise(each))

    @cached_property
    def untranslated(self) -> tuple[Note, ...]:
        """What somebody has to see to."""
        return tuple(Note(each.place, self._reason(each)) for each in self._others if not any(self._otherwise(each)))

    @property
    def _others(self) -> list[Invocation]:
        """No starts; those of other jobs are told of elsewhere."""
        has_starts = any(start_of(each.argv) for each in self._ranks)
        starts = start_of if has_starts else program_of
        return [
            each
            for each in self._reading.invocations
            if starts(each.argv) is None and not (each.argv[0] in _SILENT and (not each.output or self._is_ours(each)))
        ]

    def _is_ours(self, invocation: Invocation) -> bool:
        """Whether the output of a command is a note of its rank, such as `env > env.log`."""
        return invocation.argv[0] in ("env", "printenv", "date")

    def _otherwise(self, invocation: Invocation) -> tuple[str, ...]:
        """How npu-launch does it; empty when it does not."""
        name, operands = invocation.argv[0], _operands(invocation)
        if name == "wait":
            return ("npu-launch follows all ranks",)
        if name == "unset" and set(operands) <= set(UNSET):
            return ("no rank inherits it",)
        if name in ("source", ".") and operands and posixpath.basename(operands[0]) in _SET_ENV:
            return ("npu-launch finds CANN's set_env.sh itself",)
        if name in _OF_FOLDERS and operands and not invocation.output:
            targets = operands[-1:] if name in ("cp", "mv", "ln") else operands
            paths = [joined(invocation.cwd, word) for word in targets]
            if all(self._is_of_a_rank(path) for path in paths):
                return ("each rank has a folder of its own, and a log",)
        return ()

    def _is_of_a_rank(self, path: str) -> bool:
        return not self._is_named(path) and any(
            path == folder or is_below(folder, path) or is_below(path, folder) for folder in self._folders
        )

    def _is_named(self, path: str) -> bool:
        """Whether an argument of a rank leads there: then the folder has to be made."""
        named = {posixpath.normpath(word.rpartition("=")[2]) for rank in self._ranks for word in rank.argv[1:]}
        return any(each == path or is_below(each, path) for each in named)

    def _reason(self, invocation: Invocation) -> str:
        words, _ = unwrapped(invocation.argv)
        if invocation.output and words[:1] in (["cat"], ["echo"], ["printf"]):
            return f"writes {posixpath.basename(invocation.output)}, which has to be there"
        return _REASONS.get(invocation.argv[0], "is not done: do it before or after the run, if it is needed")
