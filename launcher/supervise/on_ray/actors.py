"""The Ray actors of a run: an agent per host beside its shim, and the supervisor that follows them."""

from __future__ import annotations

import asyncio
import logging
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from launcher.runs.store import RunDirectory
from launcher.supervise.link import LinkLost, Message, ShimLink
from launcher.supervise.logging_setup import log_to
from launcher.supervise.on_ray.hold import hold
from launcher.supervise.on_ray.settings import NAMESPACE
from launcher.supervise.supervisor import Supervisor

_log = logging.getLogger(__name__)
_DISMISSAL_TIMEOUT = 5.0  # seconds for a shim to hear that its run has ended


class Agent:
    """One host's end: speaks with the shim for a supervisor that may be elsewhere. Holds no state of its own."""

    def __init__(self, shim_socket: str) -> None:
        self._link = ShimLink(Path(shim_socket))
        self._following = asyncio.Lock()  # the call of a supervisor that died may still be waiting

    async def ready(self) -> None:
        """Answers as soon as the agent is up."""

    async def events(self, after: int) -> list[bytes] | None:
        """The events of this host's shim after a number, at least one; None when the shim is gone."""
        async with self._following:
            try:
                return await self._link.events(after)
            except LinkLost:
                return None

    async def send(self, message: Message) -> bool:
        """Pass a message on to the shim; whether it took it."""
        try:
            await self._link.send(message)
        except LinkLost:
            return False
        return True

    async def renew(self) -> bool:
        """Renew the lease of this host's ranks; whether the shim did."""
        try:
            await self._link.renew()
        except LinkLost:
            return False
        return True


class AgentLink:
    """A link to a shim through the agent on its host; an agent that died is replaced."""

    def __init__(self, run: RunDirectory, host: str, node: str) -> None:
        self._run = run
        self._host = host
        self._node = node
        self._agent: Any = None

    async def events(self, after: int) -> list[bytes]:
        lines = await self._call("events", after)
        if lines is None:
            raise LinkLost(f"the shim on {self._host}")
        return list(lines)

    async def send(self, message: Message) -> None:
        if not await self._call("send", dict(message)):
            raise LinkLost(f"the shim on {self._host}")

    async def renew(self) -> None:
        if not await self._call("renew"):
            raise LinkLost(f"the shim on {self._host}")

    async def ready(self) -> None:
        """Return when the agent is up."""
        await self._call("ready")

    def end(self) -> None:
        """End the agent."""
        if self._agent is not None:
            ray.kill(self._agent)

    def reset(self) -> None:
        """An agent that hangs is ended; the next call starts another."""
        self.end()
        self._agent = None

    async def _call(self, method: str, *arguments: object) -> Any:
        if self._agent is None:
            self._agent = (
                ray.remote(Agent)
                .options(
                    name=f"{self._run.id}/agent/{self._host}",
                    lifetime="detached",
                    get_if_exists=True,
                    num_cpus=0,
                    max_concurrency=16,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(self._node, soft=False),
                )
                .remote(str(self._run.shim_socket(self._host)))
            )
        try:
            return await getattr(self._agent, method).remote(*arguments)
        except ray.exceptions.RayError as error:
            self._agent = None
            raise LinkLost(f"the agent on {self._host}: {type(error).__name__}") from error


class SupervisorActor:
    """Hosts a run's supervisor; waits for the run's lock, so that there is one at a time.

    The supervisor has a thread and an event loop of its own: Ray restarts an actor that died by its constructor alone.
    """

    def __init__(self, run_directory: str) -> None:
        self._run = RunDirectory(Path(run_directory))
        self._stands_by = threading.Event()
        log_to(self._run.supervisor_log)
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
        node = ray.get_runtime_context().get_node_id()
        links = {host: AgentLink(self._run, host, node) for host in self._run.state().hosts}

        def link_to(host: str) -> AgentLink:
            return links.setdefault(host, AgentLink(self._run, host, node))

        try:
            with await hold():
                await asyncio.gather(*(link.ready() for link in links.values()))
                self._stands_by.set()
                lock = self._run.lock()
                await asyncio.to_thread(lock.acquire)
                if not self._run.state().phase.ended:
                    await Supervisor(self._run, link_to, by="ray").supervise()
                    await asyncio.gather(*map(_dismiss_shim, links.values()))  # no keeper may be left to do it
                lock.release()
        finally:
            for link in links.values():
                link.end()


async def _dismiss_shim(link: AgentLink) -> None:
    with suppress(LinkLost, asyncio.TimeoutError):
        await asyncio.wait_for(link.send({"op": "leave"}), _DISMISSAL_TIMEOUT)


def enlist(run: RunDirectory, address: str) -> None:
    """Create the run's supervisor actor on the Ray at `address`, and return when it stands by.

    Called in a process of its own: a process connected to Ray is aborted when Ray's head is lost for a minute.
    """
    logging.getLogger("ray._private.accelerators.npu").setLevel(logging.CRITICAL)  # a traceback where acl is absent
    ray.init(address=address, namespace=NAMESPACE, log_to_driver=False, logging_level=logging.ERROR)
    actor: Any = (
        ray.remote(SupervisorActor)
        .options(name=f"{run.id}/supervisor", lifetime="detached", get_if_exists=True, num_cpus=0, max_restarts=-1)
        .remote(str(run.path))
    )
    ray.get(actor.stand_by.remote())
    ray.shutdown()
