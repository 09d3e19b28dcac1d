"""The agent: a Ray actor on a host of a run, beside its shim."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from launcher.runs.store import RunDirectory
from launcher.supervise.link import LinkLost, Message, Result, ShimLink
from launcher.supervise.on_ray.node_ids import NodeIds

_FORGOTTEN_AFTER = 300.0  # seconds without a call, of which a supervisor makes one a second


class Agent:
    """One host's end: speaks with the shim for a supervisor that may be elsewhere. Holds no state of its own.

    It ends by itself when no supervisor has called for minutes: its run is over, and nobody was left to end it.
    """

    def __init__(self, run_directory: str, host: str) -> None:
        run = RunDirectory(Path(run_directory))
        be_at_home_of(run)
        self._link = ShimLink(run.shim_socket(host))
        self._following = asyncio.Lock()  # the call of a supervisor that died may still be waiting
        self._called_at = time.monotonic()
        self._forgetting: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Answers as soon as the agent is up."""
        self._on_call()

    async def events(self, after: int) -> list[bytes] | None:
        """The events of this host's shim after a number, at least one; None when the shim is gone."""
        self._on_call()
        async with self._following:
            try:
                return await self._link.events(after)
            except LinkLost:
                return None

    async def send(self, message: Message) -> bool:
        """Pass a message on to the shim; whether it took it."""
        self._on_call()
        try:
            await self._link.send(message)
        except LinkLost:
            return False
        return True

    async def renew(self) -> float | None:
        """Renew the lease of this host's ranks; the shim's time when it has, None when it is gone."""
        self._on_call()
        try:
            return await self._link.renew()
        except LinkLost:
            return None

    async def do(self, work: Callable[..., object], arguments: tuple[object, ...]) -> tuple[object, Exception | None]:
        """Call a function here; what it returned, or what it raised: an error that Ray raises is Ray's own then."""
        self._on_call()
        try:
            return await asyncio.to_thread(work, *arguments), None
        except Exception as error:
            return None, error

    def _on_call(self) -> None:
        self._called_at = time.monotonic()
        if self._forgetting is None:
            self._forgetting = asyncio.create_task(self._end_when_forgotten())

    async def _end_when_forgotten(self) -> None:
        while (left := self._called_at + _FORGOTTEN_AFTER - time.monotonic()) > 0:
            await asyncio.sleep(left)
        ray.kill(ray.get_runtime_context().current_actor)


class AgentLink:
    """A link to a shim through the agent on its host; an agent that died is replaced.

    `ip` is where Ray's node of another host is; None means this one, where the run has its home.
    """

    def __init__(self, run: RunDirectory, host: str, ip: str | None, nodes: NodeIds) -> None:
        self.is_home = ip is None
        self._run = run
        self._host = host
        self._ip = ip
        self._nodes = nodes
        self._node: str | None = None
        self._tried: str | None = None  # a node that failed
        self._agent: Any = None
        self._connecting: asyncio.Task[tuple[str, Any]] | None = None

    async def events(self, after: int) -> list[bytes]:
        lines = await self._call("events", after)
        if lines is None:
            raise LinkLost(f"the shim on {self._host}")
        return list(lines)

    async def send(self, message: Message) -> None:
        if not await self._call("send", dict(message)):
            raise LinkLost(f"the shim on {self._host}")

    async def renew(self) -> float:
        clock = await self._call("renew")
        if clock is None:
            raise LinkLost(f"the shim on {self._host}")
        return float(clock)

    async def there(self, work: Callable[..., Result], *arguments: object) -> Result:
        if self.is_home:
            return await asyncio.to_thread(work, *arguments)
        result, error = await self._call("do", work, arguments)
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]  # Ray's handles have no types

    async def ready(self) -> None:
        """Return when the agent is up. Raises LinkLost."""
        await self._call("ready")

    def end(self) -> None:
        """End the agent."""
        if self._agent is not None:
            with suppress(ray.exceptions.RayError):
                ray.kill(self._agent)

    def reset(self) -> None:
        """An agent that hangs is ended; the next call starts another."""
        self.end()
        self._agent = None

    async def _call(self, method: str, *arguments: object) -> Any:
        agent = self._agent or await self._connect()
        try:
            return await getattr(agent, method).remote(*arguments)
        except ray.exceptions.RayError as error:
            if self._agent is agent:
                self._agent = None
                self._tried = self._node
            raise LinkLost(f"the agent on {self._host}: {type(error).__name__}") from error

    async def _connect(self) -> Any:
        """The agent, which is asked for in a thread, once for all who wait: Ray's head may be slow to answer."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(asyncio.to_thread(self._find_or_start))
        connecting = self._connecting
        try:
            self._node, self._agent = await asyncio.shield(connecting)
        finally:
            if connecting.done() and self._connecting is connecting:
                self._connecting = None
        return self._agent

    def _find_or_start(self) -> tuple[str, Any]:
        """A node, and the agent there. Raises LinkLost."""
        try:
            here = ray.get_runtime_context().get_node_id()
            node = here if self._ip is None else self._nodes.at(self._ip, but_not=self._tried)
            if node is None:
                raise LinkLost(f"no Ray on {self._host} ({self._ip})")
            return node, (
                ray.remote(Agent)
                .options(
                    name=f"{self._run.id}/agent/{self._host}",
                    lifetime="detached",
                    get_if_exists=True,
                    num_cpus=0,
                    max_concurrency=16,
                    scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
                )
                .remote(str(self._run.path), self._host)
            )
        except (ray.exceptions.RayError, ValueError) as error:
            raise LinkLost(f"no agent on {self._host}: {type(error).__name__}") from error


def be_at_home_of(run: RunDirectory) -> None:
    """Have this process, which Ray started and which is there for one run, look for everything where the run does."""
    os.environ["NPU_LAUNCH_HOME"] = str(run.path.parent.parent)
