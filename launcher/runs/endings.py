"""What a rank's end says: only the first failure of a gang says something about its rank."""

from __future__ import annotations

from enum import Enum

from launcher.runs.state import RankPhase, RunState


class Ending(str, Enum):
    """How a rank ended that did not end well; `CASCADE` failed in the wake of the first, `FAILED` for itself."""

    FIRST_FAILURE = "first_failure"
    CASCADE = "cascade"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"


def ending_of(state: RunState, rank: int) -> Ending | None:
    """How a rank's last attempt ended; None while it goes on, and when it ended well."""
    known = state.ranks[rank]
    match known.phase:
        case RankPhase.STOPPED:
            return Ending.STOPPED
        case RankPhase.LOST:
            return Ending.LOST
        case RankPhase.FAILED:
            attempt = next((a for a in reversed(state.attempts) if a.number == known.attempt), None)
            if attempt is None or attempt.first_failure == rank:
                return Ending.FIRST_FAILURE
            return Ending.CASCADE if attempt.gang and attempt.first_failure is not None else Ending.FAILED
        case _:
            return None
