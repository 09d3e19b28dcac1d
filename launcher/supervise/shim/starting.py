"""Starts the processes of an attempt: when all that they need is there, and forked from a template if they can be."""

from __future__ import annotations

import errno
import os
import time
from typing import Any, NamedTuple, Protocol

from launcher.supervise.shim.barrier import Barrier, obstacle
from launcher.supervise.shim.binding import bindable
from launcher.supervise.shim.claims import Claims, read_holder
from launcher.supervise.shim.devices import holders
from launcher.supervise.shim.environment import whole_environment
from launcher.supervise.shim.processes import Child, make_folders, name_of, start
from launcher.supervise.shim.warm import Template, TemplateError

_DEVICE_PAUSE = 0.05  # seconds between looks at devices that somebody still has: the kernel tells nobody
_CLAIM_PAUSE = 0.2  # seconds between looks at claims that another run holds: it may do so for long
_PATIENCE = 2.0  # seconds until we say that we wait for one, or that it cannot be had

Process = dict[str, Any]
Environment = dict[str, str]


class Emit(Protocol):
    """Write an event down and send it to those who follow."""

    def __call__(self, **event: Any) -> None: ...


class Started(NamedTuple):
    """What came of a start: the processes, and (name, rank) of those that could not be made.

    `refusal` says why none was made, because one of a gang on several hosts could not be.
    """

    children: list[Child]
    failed: list[tuple[str, int | None]]
    refusal: str | None = None


class Starter:
    """Starts what the latest plan has for this host.

    `is_waiting` from the moment it is given a plan until its processes are started, or the wait is called off;
    `retry_pause` says after how many seconds to try again, None when it is told that the wait is over. The template's
    pid is kept among `spared`.
    """

    def __init__(self, host: str, emit: Emit, claims: Claims, spared: set[int]) -> None:
        self._host = host
        self._emit = emit
        self._claims = claims
        self._spared = spared
        self._plan: dict[str, Any] = {}
        self._own = ""  # the attempt's folder
        self._template: Template | None = None
        self._is_cold = False  # no template is to be tried any more
        self._barrier = Barrier()
        self._waits_since = 0.0
        self._has_told = False
        self.is_waiting = False
        self.retry_pause: float | None = None

    def take(self, plan: dict[str, Any], own: str, *, is_alone: bool) -> None:
        """A new plan is to be started; where it is alone, what only the plan before it claimed is given back."""
        self._plan = plan
        self._own = own
        self._waits_since = time.monotonic()
        self._has_told = False
        self._barrier.take(plan)
        self.is_waiting = True
        if is_alone:
            self._claims.keep_only(self._claimed())

    def release(self, attempt: int) -> None:
        """All hosts of an attempt are ready: what waits for it may be started, now or when it can."""
        self._barrier.release(attempt)

    @property
    def is_held_back(self) -> bool:
        """Whether the plan's processes wait until all its hosts are ready."""
        return self.is_waiting and not self._barrier.is_open

    def start(self) -> Started | None:
        """Start the plan's processes; None while something that they need is not there."""
        held = self._claim_of_another()
        if held and self._barrier.is_needed and self._has_patience_ended:
            first = (self._ours("ranks") or self._ours("services"))[0]
            return self._refuse([(first, f"cannot start: {held}")])
        reason = held or self._open_devices()
        self.retry_pause = (_CLAIM_PAUSE if held else _DEVICE_PAUSE) if reason else None
        if reason:
            self._tell_of_wait(reason)
            return None
        ranks, unbound = bindable(self._ours("ranks"))
        processes = [*self._ours("services"), *ranks]
        environments = [self._environment(process) for process in processes]
        if self._plan["prewarm"] and self._lacks_template(processes, environments):
            return None
        if not self._barrier.is_open and not self._barrier.is_reached:
            obstacles = [obstacle(*each, self._own) for each in zip(processes, environments, strict=True)]
            if any(obstacles):
                return self._refuse([(p, words) for p, words in zip(processes, obstacles, strict=True) if words])
            self._barrier.is_reached = True
            self._emit(type="host_ready", attempt=self._plan["attempt"])
        if not self._barrier.is_open:
            return None
        self.is_waiting = False
        if unbound:
            self._emit(type="note", text=unbound)
        return self._launch(processes, environments)

    def start_again(self, service: str) -> Started:
        """Start a service of the plan once more."""
        services = [process for process in self._ours("services") if process["name"] == service]
        return self._launch(services, [self._environment(process) for process in services])

    # -- what processes need -------------------------------------------------------------------------------------------

    def _claim_of_another(self) -> str:
        """Which claim of this attempt another run holds, or why one cannot be had; empty when all are ours.

        It was free when the attempt was planned. A gang on several hosts does not wait for long: the others would hold
        what they have claimed, and two runs might wait for each other.
        """
        try:
            taken = self._claims.take(self._claimed(), self._plan.get("run", ""))
        except OSError as error:
            return str(error)
        if taken is None:
            return ""
        return f"{taken} is held by run {read_holder(taken).get('run') or '?'} ({os.strerror(errno.EAGAIN)})"

    def _open_devices(self) -> str:
        """Who still has devices of ours open: a rank there would fail, for it holds memory; empty when nobody has."""
        nodes = {rank["device_node"] for rank in self._ours("ranks")} - {None}
        held = holders(nodes) if nodes else {}
        whom = ", ".join(f"{node} by pid {pid} ({name_of(pid)})" for node, pid in sorted(held.items()))
        return f"{self._host} has open {whom}" if held else ""

    @property
    def _has_patience_ended(self) -> bool:
        return time.monotonic() - self._waits_since >= _PATIENCE

    def _tell_of_wait(self, reason: str) -> None:
        """Say what we wait for, once the wait goes on."""
        if not self._has_told and self._has_patience_ended:
            self._has_told = True
            self._emit(type="note", text=f"waits to start: {reason}")

    def _claimed(self) -> list[str]:
        """What the plan claims on this host: paths of files."""
        return [claim["path"] for claim in self._plan.get("claims", ()) if claim["host"] == self._host]

    # -- the template --------------------------------------------------------------------------------------------------

    @property
    def template_fd(self) -> int:
        """The descriptor that tells of a template that is still importing; -1 when there is none."""
        is_importing = self._template is not None and not self._template.is_ready and not self._template.refusal
        return self._template.fd if self._template is not None and is_importing else -1

    def on_template(self) -> None:
        """Take what the template has said."""
        if self._template is not None:
            self._template.receive()

    def on_exit(self, pid: int, code: int) -> bool:
        """A child of the shim that is no part of an attempt has ended; whether it was the template."""
        if self._template is None or pid != self._template.pid:
            return False
        self._template.ended(code)
        return True

    def _lacks_template(self, processes: list[Process], environments: list[Environment]) -> bool:
        """Whether the process that ranks are to be forked from is still importing; it is started when there is none."""
        if self._is_cold or not self._ours("ranks"):
            return False
        if self._template is None:
            first = len(self._ours("services"))  # the ranks' script says what to import
            try:
                self._template = Template(
                    [*processes[first:], *processes[:first]],
                    [*environments[first:], *environments[:first]],
                    self._plan["unset"],
                    os.path.join(self._own, "template.log"),
                )
            except (OSError, ValueError) as error:
                self._give_up_warmth(str(error))
                return False
            assert self._template.pid is not None
            self._spared.add(self._template.pid)
        if self._template.refusal is not None:
            self._give_up_warmth(self._template.refusal)
        return not self._is_cold and not self._template.is_ready

    def _forked(self, processes: list[Process], environments: list[Environment]) -> list[int | None]:
        """The pids of those that were forked from the template; None for each that has to be started plainly."""
        pids: list[int | None] = [None] * len(processes)
        if self._template is None or self._is_cold or not self._plan["prewarm"]:
            return pids
        fit = []
        for position, (process, environment) in enumerate(zip(processes, environments, strict=True)):
            obstacle = self._template.obstacle(process, environment)
            if obstacle is None:
                fit.append(position)
            else:
                self._emit(type="note", text=f"{_name(process)} is started anew, not forked: {obstacle}")
        try:
            for position in fit:
                make_folders(processes[position], self._own)
            forked = self._template.fork([(processes[position], environments[position]) for position in fit])
        except (TemplateError, OSError) as error:
            self._give_up_warmth(str(error))
            return pids
        for position, pid in zip(fit, forked, strict=True):
            pids[position] = pid
        return pids

    def _give_up_warmth(self, reason: str) -> None:
        """Start ranks plainly from now on, and say why."""
        self._is_cold = True
        self._emit(type="note", text=f"ranks are started one by one, not forked from a warm process: {reason}")

    # -- processes -----------------------------------------------------------------------------------------------------

    def _ours(self, kind: str) -> list[Process]:
        return [process for process in self._plan[kind] if process["host"] == self._host]

    def _environment(self, process: Process) -> Environment:
        """The whole environment of a process of the plan."""
        return whole_environment(os.environ, self._plan, process)

    def _launch(self, processes: list[Process], environments: list[Environment]) -> Started:
        """Start processes of the plan: forked from the template where there is one, else plainly."""
        started = Started([], [])
        pids = self._forked(processes, environments)
        for process, environment, pid in zip(processes, environments, pids, strict=True):
            try:
                child = Child(pid, None) if pid is not None else start(process, environment, self._own)
            except OSError as error:
                started.failed.append(self._failed(process, f"cannot start: {error}"))
                continue
            child.name, child.rank, child.attempt = _name(process), process.get("rank"), self._plan["attempt"]
            self._tell(process, "process_started", pid=child.pid, slot=process.get("slot"))
            started.children.append(child)
        return started

    def _refuse(self, obstacles: list[tuple[Process, str]]) -> Started:
        """Start nothing, because these cannot be started, and say why."""
        self.is_waiting = False
        first, words = obstacles[0]
        failed = [self._failed(process, error) for process, error in obstacles]
        return Started([], failed, f"{_name(first)} {words}")

    def _failed(self, process: Process, error: str) -> tuple[str, int | None]:
        """Tell of a process that could not be made; its name and rank."""
        self._tell(process, "process_exited", pid=0, code=127, error=error)
        return _name(process), process.get("rank")

    def _tell(self, process: Process, kind: str, **more: Any) -> None:
        attempt = self._plan["attempt"]
        self._emit(type=kind, attempt=attempt, name=_name(process), rank=process.get("rank"), **more)


def _name(process: Process) -> str:
    """`rank 3`, or a service's own name."""
    return f"rank {process['rank']}" if "rank" in process else str(process["name"])
