"""The primitive changes of a run's state, which keep its indexes true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from immutables import Map

from launcher.runs.events import Slot
from launcher.runs.state import RankPhase, RankState, RunState

_T = TypeVar("_T")

_NONE: Map[int, None] = Map()


def copy_with(value: _T, **changes: object) -> _T:
    """A copy with some fields changed, as `replace` makes it, without the `__init__` that takes most of its time."""
    copy = object.__new__(type(value))
    copy.__dict__.update(value.__dict__, **changes)
    return copy


def change_attempt(state: RunState, **changes: object) -> RunState:
    """Change the current attempt."""
    return copy_with(state, attempts=(*state.attempts[:-1], copy_with(state.attempts[-1], **changes)))


def blame(state: RunState, slot: Slot) -> RunState:
    """Count one more failure that may be the slot's own."""
    return copy_with(state, blamed=state.blamed.set(slot, state.blamed.get(slot, 0) + 1))


def set_rank(state: RunState, rank: RankState) -> RunState:
    """The state with this rank, which it had before, and its indexes."""
    before = state.ranks[rank.rank]
    changes: dict[str, object] = {"ranks": state.ranks.set(rank.rank, rank)}
    if before.phase is not rank.phase:
        by_phase = state.by_phase
        by_phase = by_phase.set(before.phase, by_phase[before.phase].delete(rank.rank))
        changes["by_phase"] = by_phase.set(rank.phase, by_phase.get(rank.phase, _NONE).set(rank.rank, None))
        if before.phase is RankPhase.RUNNING and before.host is not None:
            changes["running_on"] = _left(state.running_on, before.host, rank.rank)
        elif rank.phase is RankPhase.RUNNING and rank.host is not None:
            beside = state.running_on.get(rank.host, frozenset())
            changes["running_on"] = state.running_on.set(rank.host, beside | {rank.rank})
    if _is_unclassified(rank):
        changes["unclassified"] = state.unclassified.set(rank.rank, None)
    elif rank.rank in state.unclassified:
        changes["unclassified"] = state.unclassified.delete(rank.rank)
    return copy_with(state, **changes)


def _left(running_on: Map[str, frozenset[int]], host: str, rank: int) -> Map[str, frozenset[int]]:
    left = running_on[host] - {rank}
    return running_on.set(host, left) if left else running_on.delete(host)


def _is_unclassified(rank: RankState) -> bool:
    return rank.phase is RankPhase.FAILED and rank.failure is None


def set_ranks(state: RunState, ranks: Mapping[int, RankState]) -> RunState:
    """The state with these ranks and no others, and their indexes."""
    by_phase: dict[RankPhase, dict[int, None]] = {}
    running_on: dict[str, set[int]] = {}
    for number, rank in ranks.items():
        by_phase.setdefault(rank.phase, {})[number] = None
        if rank.phase is RankPhase.RUNNING and rank.host is not None:
            running_on.setdefault(rank.host, set()).add(number)
    return copy_with(
        state,
        ranks=Map(ranks),
        by_phase=Map({phase: Map(numbers) for phase, numbers in by_phase.items()}),
        running_on=Map({host: frozenset(numbers) for host, numbers in running_on.items()}),
        unclassified=Map({number: None for number, rank in ranks.items() if _is_unclassified(rank)}),
    )


def lose_ranks(state: RunState, host: str, time: float) -> RunState:
    """The ranks that run on a host are lost."""
    for rank in state.running_on.get(host, ()):
        state = set_rank(state, copy_with(state.ranks[rank], phase=RankPhase.LOST, ended=time))
    return state
