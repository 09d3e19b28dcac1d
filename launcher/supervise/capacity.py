"""How many ranks fit on what is left of a cluster."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from launcher.runs.events import Slot
from launcher.runs.state import Reach, RunState
from launcher.specs import Cluster, Recipe
from launcher.specs.dotted import look_up


@dataclass(frozen=True)
class Shrunk:
    """A job of fewer ranks whose global batch is the same, and the changes to the recipe that make it so."""

    ranks: int
    overrides: tuple[str, ...]

    def __str__(self) -> str:
        return f"goes on with {self.ranks} ranks ({', '.join(self.overrides)})"


def usable_slots(cluster: Cluster, gone: Set[Slot]) -> tuple[Slot, ...]:
    """The slots of a cluster that are not gone, alone or with their host, in the order in which ranks fill them."""
    return tuple(
        slot
        for host in cluster.hosts
        if Slot(host=host.name) not in gone
        for slot in (Slot(host=host.name, device=device.id) for device in host.device_list)
        if slot not in gone
    )


def unavailable_slots(state: RunState) -> frozenset[Slot]:
    """The slots that may not be used: excluded ones, and those of hosts that cannot be reached."""
    unreachable = {Slot(host=h) for h, unwell in state.unwell_hosts.items() if unwell.reach is Reach.UNREACHABLE}
    return state.excluded | unreachable


def seats_beside(state: RunState, cluster: Cluster, ranks: Sequence[int], gone: Set[Slot]) -> tuple[Slot, ...] | None:
    """Where every rank sits when these start again beside the others; None when nobody knows where they sat.

    A rank keeps its slot, unless that is gone: then it takes the first that is neither gone nor another rank's.
    """
    seats: dict[int, Slot] = {}
    for number, rank in state.ranks.items():
        if rank.host is None or rank.slot is None:
            return None
        seats[number] = Slot(host=rank.host, device=rank.slot)
    usable = usable_slots(cluster, gone)
    stays, taken = set(usable), set(seats.values())
    spares = (slot for slot in usable if slot not in taken)
    for number in ranks:
        if seats[number] not in stays:
            seats[number] = next(spares, seats[number])
    return tuple(seats[number] for number in sorted(seats))


def shrink(recipe: Recipe, slots: int) -> Shrunk | None:
    """The largest job on at most so many slots that keeps the global batch; None when there is none.

    The global batch is micro batch x accumulation x ranks. The micro batch stays, because device memory was made for
    it; what fewer ranks do not do at once is made up for by accumulation. The recipe's knobs say where the two are.
    """
    if "micro_batch" not in recipe.knobs or "accumulation" not in recipe.knobs:
        return None
    accumulation = look_up(recipe, recipe.knobs["accumulation"])
    if not isinstance(accumulation, int) or isinstance(accumulation, bool) or accumulation < 1:
        return None
    total = accumulation * recipe.ranks
    for ranks in range(min(slots, recipe.ranks - 1), 0, -1):
        if total % ranks == 0:
            overrides = (f"ranks={ranks}", f"{recipe.knobs['accumulation']}={total // ranks}")
            return Shrunk(ranks, overrides)
    return None
