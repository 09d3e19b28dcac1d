"""By how much the times in a host's logs are off, as the record of the run tells."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from launcher.logs.stamps import Correction
from launcher.runs.events import ClockMeasured, Event


def corrections(events: Iterable[Event]) -> dict[str, Correction]:
    """For each host whose clock differs from that of the run's home, what turns its times into the home's."""
    measured: dict[str, list[tuple[float, float]]] = {}
    for event in events:
        if isinstance(event, ClockMeasured) and event.host is not None:
            measured.setdefault(event.host, []).append((event.time, event.behind))
    return {host: partial(_corrected, tuple(changes)) for host, changes in measured.items()}


def _corrected(changes: tuple[tuple[float, float], ...], when: float) -> float:
    """A host's time by the home's clock; each change is the home's time when it was measured, and the difference.

    What was written before the first measurement was written by the clock that was measured then.
    """
    for measured, behind in reversed(changes[1:]):
        if when + behind >= measured:
            return when + behind
    return when + changes[0][1]
