"""What the ranks of a script have in common, and what differs between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from launcher.specs.placeholders import PLACEHOLDERS, used
from launcher.writing.blanks import Blanks
from launcher.writing.launch import Note
from launcher.writing.leftovers import copied_from, is_below
from launcher.writing.per_rank import in_one
from launcher.writing.shell.course import GUESS
from launcher.writing.shell.marks import is_known, labels
from launcher.writing.shell.record import Invocation, Reading
from launcher.writing.shell.text_commands import joined
from launcher.writing.starts import Start, Starter
from launcher.writing.wrappers import unwrapped

_PATH_LISTS: Final = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "LIBRARY_PATH", "CPATH")
_SIZES: Final = ("world_size", "rank_size", "group_size", "device_num")  # what scripts call the number of ranks
_GIVEN: Final = "npu-launch gives every rank its own"
_WRAPPERS: Final = {
    "nohup": "a run goes on when its terminal is closed",
    "taskset": "ranks are bound to the processors near to their devices",
    "numactl": "ranks are bound to the processors near to their devices",
}


@dataclass(frozen=True)
class Started:
    """A start, and the command that it was read from."""

    start: Start
    by: Invocation

    @property
    def script(self) -> str:
        return joined(self.by.cwd, self.start.script)

    @property
    def env(self) -> dict[str, str]:
        return {**self.by.env, **self.start.env}


class RanksTogether:
    """Puts together what the starts of one script have in common."""

    def __init__(self, reading: Reading, ranks: list[Started], blanks: Blanks) -> None:
        self._reading = reading
        self._first = ranks[0]
        self._is_loop = ranks[0].start.starter in (Starter.PYTHON, Starter.PROGRAM)
        self._starts = ranks if self._is_loop else ranks[:1]
        self.blanks = blanks
        self.untranslated: list[Note] = [Note(remark.place, remark.what) for remark in reading.remarks]
        self.left: list[Note] = []
        self.ranks, self.hosts = self._size(ranks)
        for remark in self._first.start.remarks:
            self.says(remark)
        argv = self._first.by.argv
        for word in dict.fromkeys(word for text in (*argv, *self._first.by.env.values()) for word in used(text)):
            self.says(f"{{{word}}} is the script's own, and is replaced in a recipe: by {PLACEHOLDERS[word]}")
        before = argv[: len(argv) - len(unwrapped(argv)[0])]
        self.left += [Note(self._first.by.place, what) for wrapper, what in _WRAPPERS.items() if wrapper in before]
        if "timeout" in before:
            self.says("is ended after a time, which a recipe cannot say")

    def notes(self, started: Started, what: str) -> None:
        self.untranslated.append(Note(started.by.place, what))

    def says(self, what: str) -> None:
        self.notes(self._first, what)

    def _size(self, ranks: list[Started]) -> tuple[int, int]:
        """The number of ranks, and of hosts."""
        start, env = self._first.start, self._first.env
        if not self._is_loop:
            per_host, hosts = start.per_host, start.hosts
            if per_host is None:
                per_host = GUESS
                self.says(f"how many ranks it starts is not known: {GUESS} are assumed")
            if len(ranks) > 1:
                self.says(f"is started {len(ranks)} times, which one recipe cannot say: it starts it once")
        else:
            per_host, hosts = len(ranks), 1
            wanted = env.get("RANK_SIZE") or env.get("WORLD_SIZE") or ""
            if wanted.isdecimal() and int(wanted) > per_host:
                if per_host == 1:
                    self.says(
                        f"the script says {wanted} ranks and starts one process, which starts the others itself: "
                        "ranks: 1 does the same; better let npu-launch start all of them"
                    )
                elif int(wanted) % per_host == 0:
                    hosts = int(wanted) // per_host
        if hosts > 1:
            self.says(f"{per_host} ranks on each of {hosts} hosts: name these in a cluster spec (-c CLUSTER)")
        return per_host * hosts, hosts

    @property
    def script(self) -> str:
        """Where the script really is: not in the folder that it was copied to."""
        path = self._first.script
        return copied_from(self._reading, path) or path

    @property
    def cwd(self) -> str | None:
        """The ranks' folder; None where each has its own, or the script makes one for them."""
        folders = {each.by.cwd for each in self._starts}
        made = {
            joined(each.cwd, word)
            for each in self._reading.invocations
            if each.argv[0] == "mkdir"
            for word in each.argv
        }
        if len(folders) > 1 or folders & made:
            return None
        return self._first.by.cwd

    def args(self) -> tuple[str, ...]:
        """The arguments of all ranks, with placeholders where they differ."""
        columns = [each.start.args for each in self._starts]
        if len({len(column) for column in columns}) > 1:
            self.says("its ranks have different arguments: these are those of the first")
            columns = columns[:1]
        found: list[str] = []
        for texts in zip(*columns, strict=True):
            option = texts[0].partition("=")[0] if texts[0].startswith("-") else (found[-1] if found else "")
            text = in_one(texts, option)
            if text is None:
                values = ", ".join(texts[:3]) + (", ..." if len(texts) > 3 else "")
                self.says(f"an argument is different for each rank ({values}): this is the first rank's")
                text = texts[0]
            if (
                self.ranks > 1
                and option.lstrip("-").replace("-", "_") in _SIZES
                and text.rpartition("=")[2] == str(self.ranks)
            ):
                text = text[: text.rfind("=") + 1] + "{world_size}"
            self.blanks.suggest(text.rpartition("=")[2], option.lstrip("-"))
            found.append(self._argument(text))
        return tuple(found)

    def _argument(self, text: str) -> str:
        """An argument that names a file of the script's, where the ranks have folders of their own."""
        if self.cwd is not None:
            return text
        option, equals, value = text.rpartition("=") if text.startswith("-") else ("", "", text)
        path = joined(self._first.by.cwd, value)
        original = copied_from(self._reading, path) if value else None
        if original is None and value.startswith("../") and not is_below(path, self._first.by.cwd):
            original = path
        return f"{option}{equals}{original or value}"

    def env(self) -> dict[str, str]:
        """The variables of all ranks, with placeholders where they differ."""
        found: dict[str, str] = {}
        for name in self._first.env:
            text = in_one([each.env.get(name, "") for each in self._starts], name)
            found[name] = self._first.env[name] if text is None else text
        return found

    def without_owned(self, env: Mapping[str, str], owned: frozenset[str]) -> dict[str, str]:
        """Those that a recipe may set, and should."""
        exports, place = self._first.by.exports, self._first.by.place
        kept: dict[str, str] = {}
        for name, value in env.items():
            at = replace(place, line=exports.get(name, place.line), source=name)
            if name in owned:
                self.left.append(Note(at, _GIVEN))
            elif name in _PATH_LISTS and name in labels(value):
                parts = ":".join(part for part in value.split(":") if is_known(part))
                what = (
                    f"a recipe cannot add to a list of the shell's: `export {name}={parts}:${name}` before npu-launch"
                )
                self.untranslated.append(Note(at, what))
            elif self._differs(name, value):
                self.untranslated.append(Note(at, "is different for each rank: this is the first rank's"))
                kept[name] = value
            else:
                kept[name] = value
        return kept

    def _differs(self, name: str, value: str) -> bool:
        return "{" not in value and len({each.env.get(name) for each in self._starts}) > 1
