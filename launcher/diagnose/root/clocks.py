"""When something happened on one clock for all hosts, and within what limits that is known. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Final, NamedTuple

from launcher.diagnose.root.collected import Facts
from launcher.diagnose.root.facts import Member

_MEASURED: Final = 1.0  # seconds, by which times of a host may be off although its clock was measured
_JOINED: Final = 1.0  # seconds between the ends of one joining on two ranks


class When(NamedTuple):
    """A time in seconds since the epoch, how far it may be off either way, and the host by whose clock it is."""

    time: float
    off: float
    host: str | None

    def before(self, other: When) -> bool:
        """Whether it is known to be earlier; two times of one host are known as they are."""
        if self.host == other.host:
            return self.time < other.time
        return self.time + self.off < other.time - other.off


class Clocks:
    """The clocks of all hosts against one another.

    Of a run they were measured. Elsewhere, ranks end the joining of a communicator at the same moment: what their logs
    say of it tells how far apart their hosts' clocks are. Where nothing tells, times of different hosts cannot be
    ordered.
    """

    def __init__(self, facts: Facts) -> None:
        self._corrections = facts.corrections
        self._measured = facts.corrections is not None
        self._behind = _apart(facts.of(Member)) if facts.corrections is None else {}

    def when(self, time: float, host: str | None) -> When:
        """A time by a host's clock, as a time by the common one."""
        if self._measured:
            correction = (self._corrections or {}).get(host or "")
            return When(correction(time) if correction else time, _MEASURED, host)
        behind = self._behind.get(host)
        return When(time + behind, _JOINED, host) if behind is not None else When(time, math.inf, host)


def _apart(members: Sequence[Member]) -> Mapping[str | None, float]:
    """For each host, how far its clock is behind that of the first; empty where no communicator was joined by two."""
    joined: defaultdict[str, defaultdict[str | None, list[float]]] = defaultdict(lambda: defaultdict(list))
    for member in members:
        if member.ready and member.seen.time is not None:
            joined[member.group][member.seen.file.host].append(member.seen.time)
    widest = max(joined.values(), key=len, default=None)
    if widest is None or len(widest) < 2:
        return {}
    times = {host: median(those) for host, those in widest.items()}
    home = times[min(times, key=str)]
    return {host: home - time for host, time in times.items()}
