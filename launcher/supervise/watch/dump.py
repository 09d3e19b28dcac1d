"""Asks ranks of this machine where they are: py-spy for those in Python, the kernel for all."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from launcher.logs.tail import last_lines
from launcher.supervise.patience import within
from launcher.supervise.watch.stacks import RankStack, in_full, parse_faulthandler, parse_py_spy

_AT_ONCE = 4  # py-spy processes
_PATIENCE = 10.0  # seconds for one of them
_GENERATIONS = 3  # below a rank that is a shell script, say, in which Python is looked for
_FAULT_LINES = 2000  # of a log's end


async def dump(pids: Mapping[int, int]) -> list[RankStack]:
    """The stacks of ranks (rank to process id); never raises, for a rank may be anything, and end at any moment."""
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(rank: int, pid: int) -> RankStack:
        async with turns:
            return await _dump_one(rank, pid)

    return list(await asyncio.gather(*(one(rank, pid) for rank, pid in sorted(pids.items()))))


def stacks_of(pids: Mapping[int, int]) -> list[RankStack]:
    """The same where no event loop runs: what a HostLink calls on another host."""
    return asyncio.run(dump(pids))


async def _dump_one(rank: int, pid: int) -> RankStack:
    # What the kernel says comes first: py-spy stops the process for a moment.
    state, program, waits_in = _state_of(pid), _read(pid, "comm"), _read(pid, "wchan")
    bare = RankStack(rank, pid, state, program, waits_in)
    python = _python_of(pid)
    if python is None:
        return RankStack(rank, pid, state, program, waits_in, problem="it is not Python")
    if python != pid:
        state, program, waits_in = _state_of(python), _read(python, "comm"), _read(python, "wchan")
        state = bare.state if bare.is_held else state
    problem = "py-spy is not installed beside npu-launch"
    if (py_spy := _py_spy()) is not None:
        argv = [py_spy, "dump", "--json", "--pid", str(python)]
        # A process that a signal or a debugger has stopped cannot be stopped by py-spy, and does not move anyway.
        attempts = [[*argv, "--nonblocking"]] if state in ("T", "t") else [argv, [*argv, "--nonblocking"]]
        for attempt in attempts:
            code, out, said = await _run(attempt)
            if code == 0:
                with suppress(ValueError):
                    return RankStack(rank, python, state, program, waits_in, threads=parse_py_spy(out))
            problem = said.strip().partition("\n\n")[0].replace("\n", " ") or f"py-spy ended with {code}"
    return RankStack(rank, python, state, program, waits_in, problem=problem)


async def _run(argv: Sequence[str]) -> tuple[int, str, str]:
    """Exit code and output of a program that has some seconds."""
    try:
        process = await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "RUST_BACKTRACE": "0"},
        )
    except OSError as error:
        return -1, "", str(error)
    try:
        out, said = await within(process.communicate(), _PATIENCE)
    except asyncio.TimeoutError:
        return -1, "", f"no answer within {_PATIENCE:g} s"
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(errors="replace"), said.decode(errors="replace")


def from_log(rank: int, pid: int, log: Path) -> RankStack:
    """What Python's faulthandler wrote into a rank's log when the rank was ended with SIGABRT."""
    lines = [line.decode(errors="replace").rstrip("\r") for line in last_lines(log, _FAULT_LINES)]
    threads = parse_faulthandler(lines)
    problem = "" if threads else "neither py-spy nor faulthandler could tell"
    return RankStack(rank, pid, "X", "python" if threads else "?", threads=threads, problem=problem)


def write_stacks(path: Path, title: str, stacks: Sequence[RankStack]) -> bool:
    """Add all stacks to the file of an attempt; False when there is no room for them."""
    text = "\n".join([title, "", *in_full(stacks), ""])
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="replace") as file:
            file.write(text)
    except OSError:
        return False
    return True


def _py_spy() -> str | None:
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.is_file() else shutil.which("py-spy")


def _python_of(pid: int) -> int | None:
    """The process itself if it runs Python, else the first below it that does."""
    generation = [pid]
    for _ in range(_GENERATIONS):
        for candidate in generation:
            if "python" in _executable(candidate):
                return candidate
        generation = [child for parent in generation for child in _children(parent)]
    return None


def _executable(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return _read(pid, "comm")


def _children(pid: int) -> list[int]:
    return [int(word) for word in _read(pid, f"task/{pid}/children").split() if word.isdigit()]


def _state_of(pid: int) -> str:
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return fields[0] if fields else "X"


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text(errors="replace").strip()
    except OSError:
        return ""
