"""The Ray actor that supervises a run, and how it comes to be."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from launcher.runs.clusters import cluster_id
from launcher.runs.store import RunDirectory
from launcher.supervise import on_host
from launcher.supervise.awaiting_ray import is_untouched
from launcher.supervise.link import HostLink, LinkLost, ShimLink, Unlinked
from launcher.supervise.logging_setup import log_to
from launcher.supervise.on_ray.agent import AgentLink, be_at_home_of
from launcher.supervise.on_ray.hold import hold
from launcher.supervise.on_ray.node_ids import NodeIds
from launcher.supervise.on_ray.settings import NAMESPACE
from launcher.supervise.on_ray.terms import own_membership
from launcher.supervise.patience import within
from launcher.supervise.preparation import read_specs
from launcher.supervise.spread import home_host, is_spread, ray_of
from launcher.supervise.supervisor import Supervisor

_log = logging.getLogger(__name__)
_DISMISSAL_TIMEOUT = 5.0  # seconds for a shim to hear that its run has ended
_FIRST_PATIENCE = 60.0  # seconds for the agents of a run of which nothing has been started
_PATIENCE = 20.0  # seconds for agents while ranks run on their lease, and a third of that at most
_READY_PAUSE = 0.5  # seconds between attempts to have an agent


class SupervisorActor:
    """Hosts a run's supervisor; waits for the run's lock, so that there is one at a time.

    The supervisor has a thread and an event loop of its own: Ray restarts an actor that died by its constructor alone.
    """

    def __init__(self, run_directory: str) -> None:
        self._run = RunDirectory(Path(run_directory))
        self._recipe, self._cluster = read_specs(self._run)
        self._is_spread = is_spread(self._cluster)
        self._stands_by = threading.Event()
        be_at_home_of(self._run)
        log_to(self._run.supervisor_log)
        if (nice := os.getpriority(os.PRIO_PROCESS, 0)) > os.getpriority(os.PRIO_PROCESS, os.getppid()):
            _log.warning("ranks run at nice %d, as this Ray's workers do: start it with RAY_worker_niceness=0", nice)
        threading.Thread(target=self._main, name="supervisor", daemon=True).start()

    def stand_by(self) -> None:
        """Return when the agents are up and the supervisor waits for nothing but the run's lock."""
        self._stands_by.wait()

    def _main(self) -> None:
        try:
            asyncio.run(self._supervise())
        except Exception:
            _log.exception("the supervisor failed; the keeper takes over")
        ray.kill(ray.get_runtime_context().current_actor, no_restart=True)

    async def _supervise(self) -> None:
        new_link = self._new_link()
        links = {host: new_link(host) for host in self._run.state().hosts}

        def link_to(host: str) -> HostLink:
            return links.setdefault(host, new_link(host))

        try:
            with await hold(ray_of(self._cluster)):
                await self._have_agents([link for link in links.values() if isinstance(link, AgentLink)])
                self._stands_by.set()
                lock = self._run.lock()
                await asyncio.to_thread(lock.acquire)
                if not self._run.state().phase.ended:
                    await Supervisor(self._run, link_to, by="ray").supervise()
                    # no keeper may be left to do it, and none reaches other hosts
                    await asyncio.gather(*(_dismiss_shim(self._run, host, link) for host, link in links.items()))
                lock.release()
        finally:
            for link in links.values():
                if isinstance(link, AgentLink):
                    link.end()

    def _new_link(self) -> Callable[[str], AgentLink | ShimLink | Unlinked]:
        """How links are made. Between hosts the supervisor needs no agent at home: it is there itself.

        A host that was lost when the cluster was brought up is no member of it, and nothing leads there.
        """
        nodes = NodeIds()
        if not self._is_spread:
            return lambda host: AgentLink(self._run, host, None, nodes)
        membership = own_membership(cluster_id(self._cluster))
        home = home_host(self._cluster).name
        members = {member.name for member in membership.members}

        def new_link(host: str) -> AgentLink | ShimLink | Unlinked:
            if host == home:
                return ShimLink(self._run.shim_socket(host))
            if host not in members:
                return Unlinked(host)
            return AgentLink(self._run, host, membership.ip(host), nodes)

        return new_link

    async def _have_agents(self, links: Collection[AgentLink]) -> None:
        """Return when the agents are up; of several hosts some may be lost, and the others should not wait for long."""
        if not self._is_spread:
            await asyncio.gather(*(link.ready() for link in links))
        elif links:
            untouched = is_untouched(self._run.state())
            patience = _FIRST_PATIENCE if untouched else min(_PATIENCE, self._recipe.lease / 3)
            _, late = await asyncio.wait([asyncio.create_task(_have_agent(link)) for link in links], timeout=patience)
            for task in late:
                task.cancel()


async def _have_agent(link: AgentLink) -> None:
    while True:
        try:
            await link.ready()
        except LinkLost:
            await asyncio.sleep(_READY_PAUSE)
        else:
            return


async def _dismiss_shim(run: RunDirectory, host: str, link: HostLink) -> None:
    """Tell a shim that nothing more will be asked of it; of one that was killed the socket is removed."""
    with suppress(LinkLost, asyncio.TimeoutError):
        try:
            await within(link.send({"op": "leave"}), _DISMISSAL_TIMEOUT)
        except LinkLost:
            await within(link.there(on_host.forget_shim, run, host), _DISMISSAL_TIMEOUT)


def enlist(run: RunDirectory, address: str) -> None:
    """Create the run's supervisor actor on this host, on the Ray at `address`, and return when it stands by.

    Called in a process of its own: a process connected to Ray is aborted when Ray's head is lost for a minute.
    """
    logging.getLogger("ray._private.accelerators.npu").setLevel(logging.CRITICAL)  # a traceback where acl is absent
    ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor: Any = (
        ray.remote(SupervisorActor)
        .options(
            name=f"{run.id}/supervisor",
            lifetime="detached",
            get_if_exists=True,
            num_cpus=0,
            max_restarts=-1,
            scheduling_strategy=here,
        )
        .remote(str(run.path))
    )
    ray.get(actor.stand_by.remote())
    ray.shutdown()
