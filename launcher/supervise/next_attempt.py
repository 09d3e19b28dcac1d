"""What it takes to start ranks again: what is taken on the cluster's hosts, and the next attempt's plan."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from launcher.planning.model import LaunchPlan
from launcher.runs.events import Decided
from launcher.runs.state import Reach, RunState
from launcher.runs.store import RunDirectory
from launcher.specs import Cluster, Recipe, load_recipe
from launcher.supervise.capacity import seats_beside, unavailable_slots
from launcher.supervise.claims import Taken, foresee
from launcher.supervise.link import HostLink
from launcher.supervise.patience import within
from launcher.supervise.preparation import prepare_attempt
from launcher.supervise.taken import taken_here

_ASKING = 5.0  # seconds for a host to say what is taken there
_QUORUM = 2  # other hosts, of which one at least has to answer


async def taken_elsewhere(
    run: RunDirectory, state: RunState, cluster: Cluster, link_to: Callable[[str], HostLink]
) -> dict[str, Taken]:
    """What the cluster's other hosts say is taken there, spares too, as far as they answer.

    The shim refuses what is not known here.
    """
    lost = {host for host, unwell in state.unwell_hosts.items() if unwell.reach is Reach.UNREACHABLE}
    each = {host.name: link_to(host.name) for host in cluster.hosts}
    links = {host: link for host, link in each.items() if not link.is_home and host not in lost}
    asked = (within(link.there(taken_here, run.id), _ASKING) for link in links.values())
    answers = await asyncio.gather(*asked, return_exceptions=True)
    return {host: found for host, found in zip(links, answers, strict=True) if isinstance(found, Taken)}


def is_alone(cluster: Cluster, elsewhere: Mapping[str, Taken]) -> bool:
    """Whether the home may be cut off from a cluster that another home may go on with, by which hosts have answered.

    Of two hosts none can tell whether it is the other that was lost: there it is taken for lost.
    """
    return not elsewhere and len(cluster.hosts) > _QUORUM


def prepare_next(
    run: RunDirectory,
    state: RunState,
    decided: Decided,
    recipe: Recipe,
    cluster: Cluster,
    elsewhere: Mapping[str, Taken],
) -> tuple[Recipe, LaunchPlan]:
    """The recipe and the plan of the attempt that was decided on; the plan lies in the run's directory then.

    Raises NpuLaunchError when there is no such plan, and OSError.
    """
    assert state.attempt is not None
    if decided.overrides:
        recipe = load_recipe(run.layout.recipe, decided.overrides)
    gone = unavailable_slots(state)
    ranks = decided.ranks
    if ranks is None and decided.world_size is None and len(state.attempt.ranks) < state.world_size:
        ranks = state.attempt.ranks
    seats = seats_beside(state, cluster, decided.ranks, gone) if decided.ranks is not None else None
    may_not = gone if seats is None else frozenset()
    allotment = foresee(recipe, cluster, run.id, may_not, elsewhere)
    return recipe, prepare_attempt(run, recipe, cluster, state.attempt.number + 1, allotment, ranks, seats)
