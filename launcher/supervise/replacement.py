"""On which slots ranks start again: the same ones, spares in place of those that failed too often, or fewer."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

from launcher.runs.events import Slot
from launcher.runs.state import RunState
from launcher.specs import Cluster, Recipe, RestartPolicy
from launcher.supervise.capacity import Shrunk, shrink, unavailable_slots, usable_slots

_FAILURES_UNTIL_EXCLUDED = 2


@dataclass(frozen=True)
class Places:
    """What is different from the attempt before, in words as well.

    The slots in `excluded` are not used any more; `shrunk` is set when fewer ranks have to do.
    """

    excluded: tuple[Slot, ...] = ()
    shrunk: Shrunk | None = None
    changes: tuple[str, ...] = ()


def places_for_all(state: RunState, recipe: Recipe, cluster: Cluster, failed: Slot | None) -> Places | None:
    """Where all ranks start again after a failure, for which the slot `failed` may be to blame; None: nowhere.

    A slot that failed too often gives way to a spare one. Where none is left an elastic job becomes smaller, and any
    other job tries the slot again.
    """
    gone = unavailable_slots(state)
    suspects = _suspects(state, failed)
    replaced = _as_far_as_spares_go(suspects, gone, recipe, cluster)
    if replaced == suspects and _room(cluster, gone, suspects) >= recipe.ranks:
        return Places(replaced, changes=(f"{_failed(replaced)} and is replaced",) if replaced else ())
    if recipe.restart.policy is RestartPolicy.ELASTIC:
        shrunk = shrink(recipe, _room(cluster, gone, suspects))
        if shrunk is not None:
            return Places(suspects, shrunk, (_failed(suspects), str(shrunk)) if suspects else (str(shrunk),))
    if _room(cluster, gone, replaced) >= recipe.ranks:
        stays = tuple(slot for slot in suspects if slot not in replaced)
        return Places(replaced, changes=(f"{_failed(stays)}, but no spare can take its place",))
    return None


def places_for_some(state: RunState, recipe: Recipe, cluster: Cluster) -> Places:
    """Where single ranks start again beside the others: a slot that failed too often gives way to a spare one."""
    replaced = _as_far_as_spares_go(_suspects(state, None), unavailable_slots(state), recipe, cluster)
    return Places(replaced, changes=(f"{_failed(replaced)} and is replaced",) if replaced else ())


def places_left(state: RunState, cluster: Cluster) -> int:
    """How many ranks there is still room for."""
    return _room(cluster, unavailable_slots(state), ())


def _suspects(state: RunState, failed: Slot | None) -> tuple[Slot, ...]:
    """The slots that have failed too often and are still in use, the one that failed now first."""
    known = sorted(state.blamed.items(), key=lambda blame: (blame[0] != failed, str(blame[0])))
    return tuple(s for s, times in known if times >= _FAILURES_UNTIL_EXCLUDED and s not in state.excluded)


def _as_far_as_spares_go(
    suspects: tuple[Slot, ...], gone: Set[Slot], recipe: Recipe, cluster: Cluster
) -> tuple[Slot, ...]:
    replaced: tuple[Slot, ...] = ()
    for slot in suspects:
        if _room(cluster, gone, (*replaced, slot)) >= recipe.ranks:
            replaced = (*replaced, slot)
    return replaced


def _room(cluster: Cluster, gone: Set[Slot], excluded: tuple[Slot, ...]) -> int:
    return len(usable_slots(cluster, gone | set(excluded)))


def _failed(slots: tuple[Slot, ...]) -> str:
    return f"{', '.join(map(str, slots))} failed {_FAILURES_UNTIL_EXCLUDED} times"
