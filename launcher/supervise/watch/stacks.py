"""Where ranks are: their stacks as values, and in one sentence that names the odd ones."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from launcher.logs.safe import safe_line
from launcher.runs.ranks import ranks_phrase

OUT_OF_REACH = "its host cannot be reached"  # why there is no stack
_GROUPS_TOLD = 4
_TEXT = 120  # characters of a name
# Files of the interpreter itself say nothing: all ranks that wait are in threading.py or socket.py.
_INTERPRETER = re.compile(r"^<frozen |/lib(?:64)?/python3[^/]*/(?!.*(?:site|dist)-packages/)|^<string>$")
_LIBRARY = re.compile(r"^.*/(?:site|dist)-packages/")
_INNER = ("<genexpr>", "<listcomp>", "<dictcomp>", "<setcomp>", "<lambda>")
_STATES = {"T": "stopped (SIGSTOP)", "t": "held by a debugger", "D": "waiting in the kernel", "Z": "a zombie"}
_FAULT_THREAD = re.compile(r"^(?P<current>Current thread|Thread) 0x[0-9a-f]+.* \(most recent call first\):$")
_FAULT_FRAME = re.compile(r'^  File "(?P<file>.*)", line (?P<line>\d+|\?\?\?) in (?P<function>.*)$')


@dataclass(frozen=True)
class Frame:
    """One call: the function, and the line of the file that it is at."""

    function: str
    file: str
    line: int

    def __str__(self) -> str:
        file = _LIBRARY.sub("", self.file) if _LIBRARY.match(self.file) else PurePath(self.file).name
        return f"{safe_line(self.function, _TEXT)} ({safe_line(file, _TEXT)}:{self.line})"


@dataclass(frozen=True)
class Thread:
    """One thread's calls, the innermost first."""

    name: str
    frames: tuple[Frame, ...]
    is_main: bool = False


@dataclass(frozen=True)
class RankStack:
    """A rank's threads, its state as proc(5) writes it, and what the kernel calls its program.

    `waits_in` is the kernel's function that it waits in, `problem` why there are no threads.
    """

    rank: int
    pid: int
    state: str = "?"
    program: str = "?"
    waits_in: str = ""
    threads: tuple[Thread, ...] = ()
    problem: str = ""

    @property
    def is_held(self) -> bool:
        """Whether it cannot run at all."""
        return self.state in ("T", "t")


@dataclass(frozen=True)
class Grouped:
    """All ranks in a sentence; `odd` are those that cannot run, or else those that are elsewhere than most."""

    words: str
    odd: tuple[int, ...] = field(default=())


def parse_py_spy(text: str) -> tuple[Thread, ...]:
    """The threads in what `py-spy dump --json` prints. Raises ValueError for anything else."""
    threads = json.loads(text)
    try:
        return tuple(
            Thread(
                name=str(thread["thread_name"] or ""),
                frames=tuple(
                    Frame(str(frame["name"]), str(frame["filename"]), int(frame["line"])) for frame in thread["frames"]
                ),
                is_main=thread["os_thread_id"] == thread["pid"] or thread["thread_name"] == "MainThread",
            )
            for thread in threads
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no output of py-spy: {error!r}") from error


def parse_faulthandler(lines: Iterable[str]) -> tuple[Thread, ...]:
    """The threads that Python's faulthandler wrote last into a log; none when it wrote nothing.

    The current thread, which took the signal, is the main one unless that blocks signals.
    """
    threads: list[tuple[bool, list[Frame]]] = []
    is_inside = False
    for line in lines:
        if line.startswith("Fatal Python error"):
            threads = []
        elif thread := _FAULT_THREAD.match(line):
            threads.append((thread["current"] == "Current thread", []))
            is_inside = True
        elif is_inside and (frame := _FAULT_FRAME.match(line)):
            number = int(frame["line"]) if frame["line"].isdigit() else 0
            threads[-1][1].append(Frame(frame["function"], frame["file"], number))
        else:
            is_inside = False
    return tuple(Thread("", tuple(frames), is_current) for is_current, frames in threads)


def where(stack: RankStack) -> str:
    """Where a rank is: `in all_reduce (train.py:41)`, `stopped (SIGSTOP) in load_batch (data.py:88)`."""
    if stack.problem == OUT_OF_REACH:
        return "on a host that cannot be reached"
    state = _STATES.get(stack.state, "")
    place = _place(stack)
    if not place:
        program = safe_line(stack.program, _TEXT)
        kernel = f", waiting in {safe_line(stack.waits_in, _TEXT)}" if stack.waits_in not in ("", "0") else ""
        place = f"in {program} (no Python stack{kernel})"
    return f"{state} {place}".strip()


def _place(stack: RankStack) -> str:
    """The innermost call that is not the interpreter's own, and who called it when that is a library's."""
    main = next((thread for thread in stack.threads if thread.is_main), None)
    if main is None:
        main = next((thread for thread in stack.threads if thread.frames), None)
    if main is None or not main.frames:
        return ""
    telling = [frame for frame in main.frames if not _says_nothing(frame)] or list(main.frames[:1])
    caller = next((frame for frame in telling[1:] if not _LIBRARY.match(frame.file)), None)
    if _LIBRARY.match(telling[0].file) and caller is not None:
        return f"in {telling[0]} from {caller}"
    return f"in {telling[0]}"


def _says_nothing(frame: Frame) -> bool:
    """Whether a call is the interpreter's own, or one that its author sees as a line of the function around it."""
    return bool(_INTERPRETER.search(frame.file)) or frame.function.endswith(_INNER)


def group(stacks: Iterable[RankStack]) -> Grouped:
    """Ranks that are at the same place together, the largest group first."""
    places: dict[str, list[RankStack]] = {}
    for stack in sorted(stacks, key=lambda stack: stack.rank):
        places.setdefault(where(stack), []).append(stack)
    groups = sorted(places.items(), key=lambda item: (-len(item[1]), item[1][0].rank))
    parts = [f"{ranks_phrase(stack.rank for stack in members)} {place}" for place, members in groups[:_GROUPS_TOLD]]
    if len(groups) > _GROUPS_TOLD:
        parts.append(f"{ranks_phrase(s.rank for _, members in groups[_GROUPS_TOLD:] for s in members)} elsewhere")
    most = len(groups[0][1]) if groups else 0
    held = [stack.rank for _, members in groups for stack in members if stack.is_held]
    odd = held or [stack.rank for _, members in groups for stack in members if len(members) < most]
    return Grouped("; ".join(parts), tuple(sorted(odd)))


def in_full(stacks: Sequence[RankStack]) -> Iterator[str]:
    """All threads of all ranks, as lines."""
    for stack in sorted(stacks, key=lambda stack: stack.rank):
        yield f"rank {stack.rank}  pid {stack.pid}  {safe_line(stack.program)}  state {stack.state}  {where(stack)}"
        if stack.problem:
            yield f"  no stack: {safe_line(stack.problem, 300)}"
        for thread in stack.threads:
            yield f"  {'main thread' if thread.is_main else f'thread {safe_line(thread.name)}'}"
            for frame in thread.frames:
                yield f"    {safe_line(frame.function)} ({safe_line(frame.file)}:{frame.line})"
        yield ""
