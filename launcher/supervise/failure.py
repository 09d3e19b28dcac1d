"""What an attempt failed of."""

from __future__ import annotations

from dataclasses import dataclass

from launcher.runs.events import Cause, HangFound, Slot
from launcher.runs.state import AttemptState, RankPhase, RankState, RunState


@dataclass(frozen=True)
class Failure:
    """What an attempt failed of, in words and as a class, and the slot that may be to blame.

    `lost` says that no rank failed by itself: they ended with what kept them.
    """

    words: str
    cause: Cause
    startup: bool = False
    slot: Slot | None = None
    lost: bool = False


def standstill_of(state: RunState, attempt: AttemptState) -> HangFound | None:
    """The standstill that an attempt failed of; None when there was none, or a rank had failed before it was found."""
    first = state.ranks.get(attempt.first_failure) if attempt.first_failure is not None else None
    hang = attempt.hang
    if hang is None or not hang.fatal:
        return None
    return hang if first is None or first.exit is None or first.exit.time > hang.time else None


def failure_of(state: RunState, attempt: AttemptState) -> Failure | None:
    """Why the ranks are not running any more, or None when nothing failed."""
    first = state.ranks.get(attempt.first_failure) if attempt.first_failure is not None else None
    hang = standstill_of(state, attempt)
    if hang is not None:
        return Failure(hang.words, Cause.INFRASTRUCTURE)
    if first is not None:
        cause = first.failure.cause if first.failure is not None else Cause.USER
        return Failure(words_of(first), cause, is_startup(first), _slot_of(first))
    if attempt.lost_host is None:
        return _given_up(attempt)
    slot = Slot(host=attempt.lost_host)
    if not attempt.released:
        words = f"{attempt.lost_host} was lost before the ranks could start"
        return Failure(words, Cause.INFRASTRUCTURE, slot=slot, lost=True)
    lost = sum(state.ranks[r].host in (None, attempt.lost_host) for r in state.ranks_in(RankPhase.LOST))
    if attempt.lost_host not in attempt.expired_hosts:
        words = f"{lost} ranks ended with the process that kept them on {attempt.lost_host}"
    else:
        words = f"{lost} ranks ended on {attempt.lost_host}, which heard nothing of the supervisor (lease)"
    return Failure(words, Cause.INFRASTRUCTURE, slot=slot, lost=True)


def _given_up(attempt: AttemptState) -> Failure | None:
    """That hosts waited in vain for others to start, or to be reached; None when somebody else stopped them."""
    if not attempt.told_to_stop:
        return None
    slot = Slot(host=min(attempt.unready_hosts)) if attempt.unready_hosts else None
    words = "a host could not be reached" if slot is None else f"{slot} could not start"
    return Failure(attempt.stopping or words, Cause.INFRASTRUCTURE, slot=slot, lost=True)


def words_of(first: RankState) -> str:
    """How the rank that failed first ended."""
    if first.exit is None:
        return f"rank {first.rank} ended with the process that kept it on {first.host or 'its host'}"
    return f"rank {first.rank} failed first ({first.exit})"


def _slot_of(rank: RankState) -> Slot | None:
    return None if rank.host is None else Slot(host=rank.host, device=rank.slot)


def cause_of(rank: RankState) -> Cause:
    """What class a rank's failure is of; one that ended with its host was never looked at."""
    return Cause.INFRASTRUCTURE if rank.failure is None else rank.failure.cause


def is_startup(rank: RankState) -> bool:
    """Whether the next start would fail in the same way."""
    return rank.failure is not None and rank.failure.startup
