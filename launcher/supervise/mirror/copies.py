"""What is known of the logs that are written on other hosts and copied here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.logs.packed import text_size
from launcher.runs.state import RankPhase, RunState
from launcher.supervise.mirror.news import Piece, Want, size_of

_NAMED = 4  # logs in one sentence


@dataclass
class Copy:
    """One log: `size` bytes of it are here, and there were `there` when it was last looked at.

    `rank` is None for a service's. `hurried` are the bytes that were copied without regard to the usual pace, and
    `is_done` says that it will not be looked at again (it is whole, or was cut short there), `is_told` that people have
    been told that it is not whole. `limit` are the bytes that it may take here.
    """

    path: str
    host: str
    attempt: int
    name: str
    rank: int | None
    size: int = 0
    limit: int | None = None
    there: int = 0
    hurried: int = 0
    is_done: bool = False
    is_told: bool = False

    @property
    def want(self) -> Want:
        return Want(self.path, self.size)

    @property
    def is_behind(self) -> bool:
        """Whether more of it is known to be there."""
        return self.size < self.there

    def take(self, piece: Piece) -> None:
        """A piece of it has been written here."""
        self.size = max(self.size, piece.offset + len(piece.data))
        self.there = max(self.there, piece.size)

    def __str__(self) -> str:
        return f"{self.name} ({self.size}{f' of {self.there}' if self.is_behind else ''} bytes)"


def copies_of(plan: Path, attempt: int, hosts: Iterable[str]) -> list[Copy]:
    """The logs of an attempt's plan that are written on these hosts; none when the plan cannot be read."""
    try:
        content = json.loads(plan.read_bytes())
    except (OSError, ValueError):
        return []
    on = set(hosts)
    ranks = [(entry, f"rank {entry['rank']}", entry["rank"]) for entry in content["ranks"]]
    services = [(entry, entry["name"], None) for entry in content["services"]]
    return [
        Copy(
            entry["log"],
            entry["host"],
            attempt,
            name,
            rank,
            size_of(entry["log"]) or text_size(Path(entry["log"])) or 0,
            content.get("log_limit"),
        )
        for entry, name, rank in [*ranks, *services]
        if entry["host"] in on
    ]


def is_over(copy: Copy, state: RunState) -> bool:
    """Whether nobody writes to the log any more, the children of a rank included."""
    attempt = state.attempt
    if attempt is None or copy.host not in attempt.busy_hosts:
        return True
    return any(known.number == copy.attempt and known.ended is not None for known in state.attempts)


def has_ended(copy: Copy, state: RunState) -> bool:
    """Whether the process whose log it is has ended; its children may still write."""
    rank = None if copy.rank is None else state.ranks.get(copy.rank)
    if rank is None or rank.attempt < copy.attempt:
        return is_over(copy, state)
    return rank.attempt > copy.attempt or rank.phase not in (RankPhase.WAITING, RankPhase.RUNNING)


def shortfall(copies: Sequence[Copy], reason: str) -> str:
    """`not copied to their ends: the logs of rank 8 (120 bytes), rank 9 (0 of 77 bytes): host node-b was lost`."""
    ends, logs = ("its end", "log") if len(copies) == 1 else ("their ends", "logs")
    return f"not copied here to {ends}: the {logs} of {', '.join(_named(copies))}: {reason}"


def _named(copies: Sequence[Copy]) -> Iterator[str]:
    yield from map(str, copies[:_NAMED])
    if len(copies) > _NAMED:
        yield f"{len(copies) - _NAMED} more"
