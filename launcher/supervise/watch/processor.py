"""What ranks have computed and moved, and which of them are held: one pass over /proc."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_HELD = ("T", "t")  # stopped by a signal, or by a debugger (proc(5))


@dataclass(frozen=True)
class Use:
    """Of each rank, with what it started, by then: seconds of processor time, and bytes read and written by itself.

    Ranks that are `held` cannot run at all.
    """

    at: float
    seconds: Mapping[int, float]
    moved: Mapping[int, int] = field(default_factory=dict)
    held: frozenset[int] = frozenset()


def use_of(pids: Mapping[int, int], now: float, proc: Path = Path("/proc")) -> Use:
    """What the ranks (rank to process id) have used up to now."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    states: dict[int, str] = {}
    for name in os.listdir(proc):  # noqa: PTH208 - as cheap as can be
        if not name.isdigit():
            continue
        with suppress(OSError, ValueError, IndexError), open(f"{proc}/{name}/stat", "rb") as file:  # noqa: PTH123
            fields = file.read().rpartition(b")")[2].split()
            pid = int(name)
            parents[pid] = int(fields[1])
            ticks[pid] = sum(map(int, fields[11:15]))  # of itself and of its children that have ended
            states[pid] = fields[0].decode()
    owners: dict[int, int | None] = {pid: rank for rank, pid in pids.items()}
    seconds = dict.fromkeys(pids, 0.0)
    for pid, used in ticks.items():
        owner = _owner(pid, parents, owners)
        if owner is not None:
            seconds[owner] += used * _TICK
    moved = {rank: _moved(proc / str(pid) / "io") for rank, pid in pids.items()}
    held = frozenset(rank for rank, pid in pids.items() if states.get(pid) in _HELD)
    return Use(now, seconds, moved, held)


def _owner(pid: int, parents: Mapping[int, int], known: dict[int, int | None]) -> int | None:
    """The rank that a process is, or comes from."""
    way: list[int] = []
    while pid not in known and pid in parents and len(way) <= len(parents):
        way.append(pid)
        pid = parents[pid]
    owner = known.get(pid)
    known.update(dict.fromkeys(way, owner))
    return owner


def _moved(io: Path) -> int:
    """Bytes that a process has read and written, as proc(5) counts them; 0 when we may not know."""
    with suppress(OSError, ValueError, IndexError):
        lines = io.read_bytes().split(b"\n")
        return int(lines[0].split()[1]) + int(lines[1].split()[1])  # rchar, wchar
    return 0
