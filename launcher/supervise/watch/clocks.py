"""Whether anybody looked all the time: a machine that sleeps, a paused container and a clock that is set leave gaps."""

from __future__ import annotations

import time
from dataclasses import dataclass

_UNSEEN = 5.0  # seconds; a look every second may be late, but not so late


@dataclass(frozen=True)
class Moment:
    """A time by both clocks: seconds since the epoch, and seconds that nobody can set."""

    wall: float
    steady: float

    @classmethod
    def now(cls) -> Moment:
        return cls(time.time(), time.monotonic())


def looked_away(before: Moment, after: Moment) -> bool:
    """Whether too much time lies between the end of one look and the beginning of the next."""
    return after.steady - before.steady > _UNSEEN or were_set(before, after)


def were_set(before: Moment, after: Moment) -> bool:
    """Whether the clocks do not agree on the time in between: one was set, or stood still while the machine slept."""
    return abs((after.wall - before.wall) - (after.steady - before.steady)) > _UNSEEN
