"""The life of an attempt on this host: its processes start, end or are stopped, and nothing of them stays."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from typing import Any, Protocol

from launcher.supervise.shim.devices import holders
from launcher.supervise.shim.memory import OomWatch
from launcher.supervise.shim.processes import Child, descendants, name_of, signal_group, signal_process, start

_SERVICE_LINGER = 5.0  # seconds that services have to end by themselves once all ranks have
_DAEMON_GRACE = 0.2  # seconds between SIGTERM and SIGKILL for processes that ranks left behind
_KILL_PAUSE = 0.05  # seconds until those that appeared during a kill are killed too
_DEVICE_PAUSE = 0.05  # seconds between looks at devices that somebody still has open: the kernel tells nobody
_DEVICE_PATIENCE = 2.0  # seconds until we say that we wait for one


class Emit(Protocol):
    """Write an event down and send it to those who follow."""

    def __call__(self, **event: Any) -> None: ...


class Attempts:
    """One attempt after the other, or beside it; `is_busy` from a launch until no process of them is left.

    An attempt of a few independent ranks may be launched while the others run: all of them end as one.
    """

    def __init__(self, host: str, emit: Emit, oom: OomWatch) -> None:
        self._host = host
        self._emit = emit
        self._oom = oom
        self._plan: dict[str, Any] = {}  # of the latest attempt
        self._own = ""  # its folder
        self._children: dict[int, Child] = {}
        self._is_stopping = False
        self._is_waiting = False  # for something that the latest attempt needs before it can start
        self._waits_since = 0.0
        self._has_told = False
        self._step = "idle"
        self._timer: tuple[float, Callable[[], None]] | None = None  # what is due next, and when (monotonic seconds)
        self.is_busy = False
        self.idle_since = time.monotonic()
        self.spared: set[int] = set()  # children of the shim that are no part of any attempt

    @property
    def due(self) -> float | None:
        """When `advance` has something to do that no signal tells of (monotonic seconds)."""
        return None if self._timer is None else self._timer[0]

    @property
    def lease(self) -> float:
        """How many seconds ranks may run without a word from the supervisor."""
        return float(self._plan["lease"])

    def launch(self, plan_path: str) -> None:
        """Start this host's ranks and services of a plan; an attempt that was launched already is left alone.

        Raises ValueError while ranks of it, or the services, run in another attempt, OSError or ValueError when the
        plan cannot be read.
        """
        with open(plan_path, encoding="utf-8") as file:
            plan = json.load(file)
        if plan["attempt"] <= self._plan.get("attempt", 0):
            return
        if self.is_busy and (self._is_stopping or self._is_waiting or not self._fits_beside(plan)):
            raise ValueError(f"attempt {self._plan['attempt']} is still running")
        self._plan = plan
        self._own = os.path.dirname(plan_path)
        if not self.is_busy:
            self.is_busy = True
            self._is_stopping = False
            self._timer = None
            self._step = "ranks"
        self._is_waiting = True
        self._has_told = False
        self._waits_since = time.monotonic()
        self._begin()
        self.advance()

    def stop(self, reason: str) -> None:
        """SIGTERM to every process group now, SIGKILL to whatever is left after the plan's grace."""
        if self._is_stopping or not self.is_busy:
            return
        self._is_stopping = True
        self._is_waiting = False
        for child in self._children.values():
            child.stopped = True
            signal_group(child.pid, signal.SIGTERM)
        for child in self._children.values():
            signal_group(child.pid, signal.SIGCONT)  # a suspended process takes its SIGTERM only when it goes on
        self._after(float(self._plan["grace"]), self._kill)
        self._emit(type="gang_stopping", attempt=self._plan["attempt"], reason=reason)

    def reap(self) -> None:
        """Take note of every child that has ended."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self.spared.discard(pid)
            child = self._children.pop(pid, None)
            if child is not None:
                self._exited(child, os.waitstatus_to_exitcode(status), usage.ru_maxrss)

    def advance(self) -> None:
        """Do what is due, and take the attempt's next step: ranks end, then services, then what they left behind."""
        if self._timer is not None and time.monotonic() >= self._timer[0]:
            action = self._timer[1]
            self._timer = None
            action()
        if not self.is_busy:
            return
        if self._is_waiting or any(child.rank is not None for child in self._children.values()):
            step = "ranks"
        elif self._children:
            step = "services"
        elif descendants(os.getpid(), self.spared):
            step = "daemons"
        else:
            step = "idle"
        if step != self._step:
            self._step = step
            self._enter(step)

    def _enter(self, step: str) -> None:
        if step == "services" and not self._is_stopping and self._holds_all_ranks():
            self._after(_SERVICE_LINGER, lambda: self.stop("all ranks have ended"))
        elif step == "daemons":  # they would hold devices that the next attempt needs
            for pid in descendants(os.getpid(), self.spared):
                signal_process(pid, signal.SIGTERM)
            self._after(_DAEMON_GRACE, self._kill)
        elif step == "idle":
            self.is_busy = False
            self._timer = None
            self.idle_since = time.monotonic()
            self._emit(type="host_idle", attempt=self._plan["attempt"])

    def _fits_beside(self, plan: dict[str, Any]) -> bool:
        """Whether a plan holds nothing but ranks that do not run now."""
        running = {child.rank for child in self._children.values()}
        return not plan["gang"] and not plan["services"] and running.isdisjoint(r["rank"] for r in plan["ranks"])

    def _holds_all_ranks(self) -> bool:
        """Whether no other host has ranks that this host's services serve; with others, the supervisor says when."""
        return {process["host"] for process in self._plan["ranks"]} == {self._host}

    # -- the start -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start the latest attempt's processes, or wait for what they need."""
        if not self._is_waiting or self._waits_for_devices():
            return
        self._is_waiting = False
        for service in self._ours("services"):
            self._start(service["name"], None, service)
        for rank in self._ours("ranks"):
            self._start(f"rank {rank['rank']}", rank["rank"], rank)

    def _ours(self, kind: str) -> list[dict[str, Any]]:
        return [process for process in self._plan[kind] if process["host"] == self._host]

    def _waits_for_devices(self) -> bool:
        """Whether a process still has one of our devices open: a rank on it would fail, for it holds memory there."""
        nodes = {rank["device_node"] for rank in self._ours("ranks")} - {None}
        held = holders(nodes) if nodes else {}
        if not held:
            return False
        self._after(_DEVICE_PAUSE, self._begin)
        if not self._has_told and time.monotonic() - self._waits_since >= _DEVICE_PATIENCE:
            self._has_told = True
            whom = ", ".join(f"{node} by pid {pid} ({name_of(pid)})" for node, pid in sorted(held.items()))
            self._emit(type="note", text=f"waits to start: {self._host} has open {whom}")
        return True

    def _start(self, name: str, rank: int | None, process: dict[str, Any]) -> None:
        """Start a process of the plan."""
        inherited = {name: value for name, value in os.environ.items() if name not in self._plan["unset"]}
        attempt = self._plan["attempt"]
        try:
            child = start(process, {**inherited, **process["env"]}, self._own)
        except OSError as error:
            self._emit(
                type="process_exited",
                attempt=attempt,
                name=name,
                rank=rank,
                pid=0,
                code=127,
                error=f"cannot start: {error}",
            )
            self._failed(name, rank)
            return
        self._started(child, name, rank, process)

    def _started(self, child: Child, name: str, rank: int | None, process: dict[str, Any]) -> None:
        child.name, child.rank, child.attempt = name, rank, self._plan["attempt"]
        self._children[child.pid] = child
        self._emit(
            type="process_started", attempt=child.attempt, name=name, rank=rank, pid=child.pid, slot=process.get("slot")
        )
        if self._is_stopping:  # one before it could not be started
            child.stopped = True
            signal_group(child.pid, signal.SIGTERM)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _exited(self, child: Child, code: int, max_rss_kib: int) -> None:
        killed = code == -signal.SIGKILL and not child.stopped
        self._emit(
            type="process_exited",
            attempt=child.attempt,
            name=child.name,
            rank=child.rank,
            pid=child.pid,
            code=code,
            stopped=child.stopped,
            error=child.take_exec_error(),
            oom=self._oom.verdict(child.pid) if killed else None,
            max_rss_kib=max_rss_kib,
        )
        if code != 0 and not child.stopped:
            self._failed(child.name, child.rank)

    def _failed(self, name: str, rank: int | None) -> None:
        """In a gang, the others cannot finish without a rank that failed: stop them now, and ask nobody."""
        if rank is not None and self._plan["gang"]:
            self.stop(f"{name} failed")

    def _kill(self) -> None:
        """SIGKILL to every descendant, again and again until none is left: one may fork while we look."""
        for child in self._children.values():
            child.stopped = True
        for pid in descendants(os.getpid(), self.spared):
            signal_process(pid, signal.SIGKILL)
        self._after(_KILL_PAUSE, self._kill)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do this later; it takes the place of what was to be done before."""
        self._timer = (time.monotonic() + seconds, action)
