"""Which ranks are slower than the others, window after window: a fold over how many steps each has done.

Ranks that wait for each other in every step all take the time of the slowest: of those, none is found here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

_SLOWER = 1.3  # times the median of all ranks
_WINDOWS = 3  # in a row
_SHORTEST_WINDOW = 10.0  # seconds
_STEPS_IN_WINDOW = 10


@dataclass(frozen=True)
class Mark:
    """So many steps were done at this time."""

    time: float
    steps: int


@dataclass(frozen=True)
class Paces:
    """A window that began with these marks, and in how many before it, up to now, each slow rank was slow."""

    began: float
    marks: Mapping[int, Mark] = field(default_factory=dict)
    slow: Mapping[int, int] = field(default_factory=dict)


def compare(paces: Paces, marks: Mapping[int, Mark], now: float) -> tuple[Paces, Mapping[int, float]]:
    """The paces after one more look, and the ranks that were slow in three windows: by how many times.

    `marks` are the latest of every rank that runs and tells its steps.
    """
    if now - paces.began < _SHORTEST_WINDOW:
        return paces, {}
    step_times = {rank: _step_time(paces.marks[rank], mark, now) for rank, mark in marks.items() if rank in paces.marks}
    usual = median(step_times.values()) if step_times else 0.0
    if now - paces.began < _STEPS_IN_WINDOW * usual:
        return paces, {}
    slow: dict[int, int] = {}
    found: dict[int, float] = {}
    if len(step_times) > 1 and usual > 0:
        for rank, seconds in step_times.items():
            if seconds > _SLOWER * usual:
                slow[rank] = paces.slow.get(rank, 0) + 1
                if slow[rank] >= _WINDOWS:
                    found[rank] = seconds / usual
    return Paces(now, dict(marks), slow), found


def _step_time(before: Mark, after: Mark, now: float) -> float:
    """Seconds a step; of a rank that did none in the window it is at least as long as that."""
    if after.steps <= before.steps:
        return now - before.time
    return (after.time - before.time) / (after.steps - before.steps)
