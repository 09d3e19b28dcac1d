"""The hosts of a run: an attendant each, what all of them are told, and what they are asked together."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any

from launcher.runs.state import AttemptState, Reach, RunState
from launcher.runs.store import RunDirectory
from launcher.specs import Cluster, Recipe
from launcher.supervise.attendant import Attendant
from launcher.supervise.belongings import Belongings
from launcher.supervise.claims import Taken
from launcher.supervise.heartbeat import is_cut_off
from launcher.supervise.link import HostLink
from launcher.supervise.next_attempt import taken_elsewhere
from launcher.supervise.parcels import Parcels
from launcher.supervise.spread import is_spread
from launcher.supervise.watch.watch import asks_for_stacks


class RunHosts:
    """Those that the run has used so far, and those that were lost.

    `state` and `recipe` say what holds now, `tell` writes down what happened on a host and has it considered, and
    `begin` has something done beside for as long as the run is supervised.
    """

    def __init__(
        self,
        run: RunDirectory,
        cluster: Cluster,
        link_to: Callable[[str], HostLink],
        state: Callable[[], RunState],
        recipe: Callable[[], Recipe],
        tell: Callable[..., None],
        begin: Callable[[Coroutine[Any, Any, None]], None],
    ) -> None:
        self._run = run
        self._cluster = cluster
        self._link_to = link_to
        self._state = state
        self._recipe = recipe
        self._tell = tell
        self._begin = begin
        self._is_spread = is_spread(cluster)
        self._parcels = Parcels(run)
        self._belongings = Belongings()
        self._attendants: dict[str, Attendant] = {}

    def attend(self) -> list[str]:
        """Attend to all of them; an attempt may use others than the one before. Returns those that are new."""
        state = self._state()
        new = [host for host in dict.fromkeys((*state.hosts, *state.unwell_hosts)) if host not in self._attendants]
        for host in new:
            self._attendants[host] = Attendant(
                self._run,
                host,
                self._link_to(host),
                self._state,
                self._tell,
                may_renew=lambda: not self._is_cut_off(),
                is_spread=self._is_spread,
                parcels=self._parcels,
                belongings=self._belongings,
            )
            self._begin(self._attendants[host].attend())
        return new

    def link_of(self, host: str) -> HostLink | None:
        """The way to a host that is attended to."""
        attendant = self._attendants.get(host)
        return None if attendant is None else attendant.link

    def links(self) -> dict[str, HostLink]:
        """The ways to all hosts that are attended to."""
        return {host: attendant.link for host, attendant in self._attendants.items()}

    def may_come_back(self) -> bool:
        """Whether a host that cannot be reached may be only now on its way to be reached again."""
        unwell = self._state().unwell_hosts.items()
        lost = [host for host, known in unwell if known.reach is Reach.UNREACHABLE]
        return any(not self._attendants[host].link.is_home for host in lost)

    async def taken_elsewhere(self) -> dict[str, Taken]:
        """What is taken on the cluster's other hosts, as far as they answer."""
        known = self.links()
        return await taken_elsewhere(
            self._run, self._state(), self._cluster, lambda host: known.get(host) or self._link_to(host)
        )

    def take_up(self) -> None:
        """Hand the current attempt's plan to its hosts; those that have it leave it at that.

        A supervisor that takes a run over cannot know how far the one before it came.
        """
        attempt = self._state().attempt
        if attempt is None:
            return
        for host in attempt.busy_hosts:
            self._attendants[host].take_up(attempt)
        if attempt.ready_hosts and attempt.released:
            self.tell_to_go()
        if attempt.told_to_stop:
            self.tell_to_stop(attempt.stopping or "told to before")

    def tell_to_go(self) -> None:
        """Have every host start what it holds back."""
        attempt = self._attempt()
        for host in attempt.busy_hosts:
            self._attendants[host].send({"op": "go", "attempt": attempt.number})

    def tell_to_stop(self, reason: str) -> None:
        """Have every host stop what it runs or waits to start."""
        attempt = self._attempt()
        stacks = self._recipe().runs_python and asks_for_stacks(attempt)
        for host in attempt.busy_hosts:
            message = {"op": "stop", "attempt": attempt.number, "reason": reason, "stacks": stacks}
            self._attendants[host].send(message)

    async def fence(self, host: str) -> None:
        """Count the host's ranks as ended."""
        await self._attendants[host].fence(self._attempt())

    def _attempt(self) -> AttemptState:
        attempt = self._state().attempt
        assert attempt is not None
        return attempt

    def _is_cut_off(self) -> bool:
        """Whether the other busy hosts may be another's by now."""
        attempt = self._state().attempt
        busy = [self._attendants[host] for host in attempt.busy_hosts] if attempt is not None else []
        silences = [time.monotonic() - attendant.heard for attendant in busy if not attendant.link.is_home]
        recipe = self._recipe()
        return is_cut_off(silences, recipe.lease, gang=recipe.gang)
