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
from launcher.supervise.patience import within

_FORGOTTEN_AFTER = 300.0  # seconds without a call, of which a supervisor makes one a second
_START_TIMEOUT = 120.0  # seconds for an agent to be up
_TIMELY = 5.0  # seconds that a call may be on its way; a host is not given up before it was silent for longer
_RENEWAL_TIMELY = 1.0  # seconds; a lease that is renewed late ends later than its supervisor counts on


class Agent:
    """One host's end: speaks with the shim for a supervisor that may be elsewhere. Holds no state of its own.

    What is to be done comes with a moment (`now` of this host) from which on it must not be done any more: a call that
    was held up, with its host or on its way, may come when the ranks of this host are somebody else's.

    It ends by itself when no supervisor has called for minutes: its run is over, and nobody was left to end it.
    """

    def __init__(self, run_directory: str, host: str) -> None:
        run = RunDirectory(Path(run_directory))
        be_at_home_of(run)
        self._link = ShimLink(run.shim_socket(host))
        self._following = asyncio.Lock()  # the call of a supervisor that died may still be waiting
        self._called_at = time.monotonic()
        self._forgetting: asyncio.Task[None] | None = None

    async def ready(self) -> float:
        """Answers as soon as the agent is up, with `now`."""
        self._on_call()
        return now()

    async def events(self, after: int) -> list[bytes] | None:
        """The events of this host's shim after a number, at least one; None when the shim is gone."""
        self._on_call()
        async with self._following:
            try:
                return await self._link.events(after)
            except LinkLost:
                return None

    async def send(self, due: float, message: Message) -> bool:
        """Pass a message on to the shim; whether it took it."""
        self._on_call()
        if now() > due:
            return False
        try:
            await self._link.send(message)
        except LinkLost:
            return False
        return True

    async def renew(self, due: float) -> tuple[float, float | None]:
        """Renew the lease of this host's ranks; `now`, and the shim's time when it has: None when it is gone."""
        self._on_call()
        came = now()
        if came > due:
            return came, None
        try:
            return came, await self._link.renew()
        except LinkLost:
            return came, None

    async def do(
        self, due: float, work: Callable[..., object], arguments: tuple[object, ...]
    ) -> tuple[object, Exception | None]:
        """Call a function here; what it returned, or what it raised: an error that Ray raises is Ray's own then."""
        self._on_call()
        if now() > due:
            return None, LinkLost("it came too late")
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
        self._coming: Any = None  # an agent that is not up yet
        self._connecting: asyncio.Task[None] | None = None
        self._clocks = 0.0, 0.0  # `now` there at some moment, and here no later than that

    async def events(self, after: int) -> list[bytes]:
        lines = await self._call("events", None, after)
        if lines is None:
            raise LinkLost(f"the shim on {self._host}")
        return list(lines)

    async def send(self, message: Message) -> None:
        if not await self._call("send", _TIMELY, dict(message)):
            raise LinkLost(f"the shim on {self._host}")

    async def renew(self) -> float:
        asked = now()
        theirs, clock = await self._call("renew", _RENEWAL_TIMELY)
        self._clocks = theirs, asked
        if clock is None:
            raise LinkLost(f"the shim on {self._host}")
        return float(clock)

    async def there(self, work: Callable[..., Result], *arguments: object) -> Result:
        if self.is_home:
            return await asyncio.to_thread(work, *arguments)
        result, error = await self._call("do", _TIMELY, work, arguments)
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]  # Ray's handles have no types

    async def ready(self) -> None:
        """Return when the agent is up. Raises LinkLost."""
        if self._agent is None:
            await self._connect()

    def end(self) -> None:
        """End the agent."""
        for agent in (self._agent, self._coming):
            if agent is not None:
                _end(agent)

    def reset(self) -> None:
        """An agent that hangs is ended; the next call starts another. One that is not up yet may just be slow."""
        if self._agent is not None:
            _end_in_thread(self._agent)
        self._agent = None

    async def _call(self, method: str, timely: float | None, *arguments: object) -> Any:
        """Call the agent; what is to be done within so many seconds or not at all is told the moment when that is."""
        agent = self._agent or await self._connect()
        call = getattr(agent, method).remote
        if timely is not None:
            theirs, ours = self._clocks
            arguments = (theirs + now() - ours + timely, *arguments)
        try:
            if method != "do":
                return await call(*arguments)
            # What is large goes through Ray's store, which lets its caller wait when it is full or hangs.
            return await (await asyncio.to_thread(call, *arguments))
        except ray.exceptions.RayError as error:
            if self._agent is agent:
                self._agent = None
                self._tried = self._node
            raise LinkLost(f"the agent on {self._host}: {type(error).__name__}") from error

    async def _connect(self) -> Any:
        """The agent when it is up; it is asked for once for all who wait. Raises LinkLost."""
        if self._connecting is None:
            self._connecting = asyncio.create_task(self._have_agent())
        connecting = self._connecting
        try:
            await asyncio.shield(connecting)
        finally:
            if connecting.done() and self._connecting is connecting:
                self._connecting = None
        if self._agent is None:
            raise LinkLost(f"the agent on {self._host} was given up as soon as it was up")
        return self._agent

    async def _have_agent(self) -> None:
        """Find or start the agent: in a thread, because Ray's head may be slow to answer. Raises LinkLost."""
        asked = now()
        node, agent = await asyncio.to_thread(self._find_or_start)
        self._coming = agent
        try:
            theirs = await within(agent.ready.remote(), _START_TIMEOUT)
        except (ray.exceptions.RayError, asyncio.TimeoutError) as error:
            self._tried = node
            _end_in_thread(agent)
            raise LinkLost(f"no agent on {self._host}: {type(error).__name__}") from error
        finally:
            self._coming = None
        self._node, self._agent, self._clocks = node, agent, (theirs, asked)

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


def now() -> float:
    """Seconds by a clock that nobody sets, and that goes on while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _end_in_thread(agent: Any) -> None:
    """Without waiting: Ray's head, which is told, may hang."""
    asyncio.get_running_loop().run_in_executor(None, _end, agent)


def _end(agent: Any) -> None:
    with suppress(ray.exceptions.RayError):
        ray.kill(agent)


def be_at_home_of(run: RunDirectory) -> None:
    """Have this process, which Ray started and which is there for one run, look for everything where the run does.

    Ranks inherit from it. A Ray of somebody else runs its workers at nice 15 and has the OOM killer take them first:
    that is undone, as far as this user may (for niceness: root, or `ulimit -e`).
    """
    os.environ["NPU_LAUNCH_HOME"] = str(run.path.parent.parent)
    raylet = os.getppid()
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(Path(f"/proc/{raylet}/oom_score_adj").read_text())
    with suppress(OSError):
        for thread in Path("/proc/self/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(thread.name), os.getpriority(os.PRIO_PROCESS, raylet))
