"""Which steps are worth a line in the record: the first, those that make up for lost ones, the last, one a minute."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.runs.events import Progressed
from launcher.runs.state import AttemptState
from launcher.supervise.watch.stragglers import Mark

_EVERY = 60.0  # seconds between two that are neither first nor last
_PATIENCE = 3.0  # seconds for the other ranks to tell their first step too; some scripts let one rank speak for all


def milestone(
    attempt: AttemptState, marks: Mapping[int, Mark], now: float, *, is_last: bool = False
) -> Progressed | None:
    """What to write down now that ranks of this attempt have done so many steps, or None.

    `marks` are the latest of every rank that tells its steps; all have done as many as the one that is behind.
    """
    if not marks:
        return None
    last = attempt.last_step
    earliest = min(mark.time for mark in marks.values())
    if last is None and not is_last and len(marks) < len(attempt.ranks) and now - earliest < _PATIENCE:
        return None
    steps = min(mark.steps for mark in marks.values())
    time = max(mark.time for mark in marks.values() if mark.steps == steps)
    if last is None:
        return Progressed(time=time, attempt=attempt.number, step=steps)
    if steps <= last.step:
        return None
    has_caught_up = attempt.caught_up is None and steps >= attempt.high_water
    if is_last or has_caught_up or now - last.time >= _EVERY:
        return Progressed(time=max(time, last.time), attempt=attempt.number, step=steps)
    return None
