"""What a host's shim tells of its ranks, as far as it says whose logs to look through. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from launcher.diagnose.finding import Finding
from launcher.runs.events import Event, FaultSeen, GangStopping, HostIdle, ProcessExited, ProcessStarted

_MOST: Final = 20  # faults of an attempt on one host
_MOST_ALIKE: Final = 3  # ranks of an attempt on one host of which the same is told


class HostRanks:
    """The ranks of a host that run, with their attempts, and the faults that have been told of.

    A gang that is being stopped is none of ours any more, nor is a rank that has ended: what they said last is for the
    diagnosis. `is_over` when nothing runs, nor is to.
    """

    def __init__(self) -> None:
        self.running: dict[int, int] = {}
        self.is_over = False
        self._told: set[tuple[int | None, int | None, str]] = set()

    def take_in(self, events: Sequence[Event]) -> None:
        """Go on with what has happened."""
        for event in events:
            match event:
                case ProcessStarted(rank=int(rank)):
                    self.running[rank] = event.attempt
                    self.is_over = False
                case ProcessExited(rank=int(rank)):
                    self.running.pop(rank, None)
                case GangStopping():
                    self.running.clear()
                case HostIdle():
                    self.is_over = not self.running
                case FaultSeen():
                    self._told.add((event.attempt, event.rank, event.cause))

    def is_told(self, finding: Finding) -> bool:
        """Whether the cause has been told of this rank."""
        return (finding.file.attempt, finding.file.rank, finding.cause) in self._told

    def are_to_tell(self, finding: Finding) -> bool:
        """Whether to tell of a finding in the log of a rank that runs: once for a rank and a cause, and not often."""
        rank, attempt = finding.file.rank, finding.file.attempt
        if rank is None or attempt is None or self.running.get(rank) != attempt:
            return False
        causes = Counter(cause for number, _, cause in self._told if number == attempt)
        if self.is_told(finding) or causes.total() >= _MOST or causes[finding.cause] >= _MOST_ALIKE:
            return False
        self._told.add((attempt, rank, finding.cause))
        return True
