"""The life of an attempt on this host: its processes start, end or are stopped, and nothing of them stays."""

from __future__ import annotations

import os
import signal
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from launcher.supervise.shim.claims import Claims
from launcher.supervise.shim.flood import FloodWatch
from launcher.supervise.shim.memory import OomWatch
from launcher.supervise.shim.plans import Plan, attempt_of, has_elsewhere, read_plan
from launcher.supervise.shim.processes import Child, descendants, forbid_core, signal_group, signal_process
from launcher.supervise.shim.starting import Emit, Started, Starter

_SERVICE_LINGER = 5.0  # seconds that services have to end by themselves once all ranks have
_REVIVALS = 3  # how often in an attempt a service that fails is started again
_REVIVAL_PAUSE = 0.5  # seconds before the first of these, doubled each time: its port may still be taken
_DAEMON_GRACE = 0.2  # seconds between SIGTERM and SIGKILL for processes that ranks left behind
_KILL_PATIENCE = 60.0  # seconds; a process that has much memory of a device takes some to give it back
_KILL_PAUSE = 0.05  # seconds until those that appeared during a kill are killed too
_KILLED = (-signal.SIGKILL, 128 + signal.SIGKILL)  # the latter is what a shell says of its child


class Attempts:
    """One attempt after the other, or beside it; `is_busy` from a launch until no process of them is left.

    An attempt of a few independent ranks may start while the others run: all of them end as one. One that cannot start
    yet waits until it can. However an attempt comes to nothing, `host_idle` says so when nothing is left on this host.
    """

    def __init__(self, host: str, emit: Emit, oom: OomWatch, claims: Claims) -> None:
        self._host = host
        self._emit = emit
        self._oom = oom
        self._spared: set[int] = set()  # children of the shim that are no part of any attempt
        self._starter = Starter(host, emit, claims, self._spared)
        self._flood = FloodWatch(emit, self._spared)
        self._queue: deque[Plan] = deque()  # attempts that cannot start yet, in order
        self._plan: dict[str, Any] = {}  # of the latest attempt that was started
        self._number = 0  # of the latest attempt that was heard of
        self._children: dict[int, Child] = {}
        self._is_stopping = False
        self._revived = 0  # how often a service of the attempt was started again
        self._step = "idle"
        self._timer: tuple[float, Callable[[], None]] | None = None  # what is due next, and when (monotonic seconds)
        self._killing_since: float | None = None  # monotonic seconds
        self.is_busy = False
        self.idle_since = time.monotonic()

    @property
    def due(self) -> float | None:
        """When `advance` has something to do that no signal tells of (monotonic seconds)."""
        return None if self._timer is None else self._timer[0]

    @property
    def lease(self) -> float:
        """How many seconds ranks may run without a word from the supervisor."""
        return float(self._plan["lease"])

    def launch(self, plan_path: str, attempt: int | None = None) -> None:
        """Start this host's ranks and services of a plan as soon as nothing is in their way.

        An attempt that was heard of already is left alone. Of a plan that cannot be read nothing is started; `attempt`
        then tells which one it was.
        """
        try:
            plan = read_plan(plan_path, self._host)
        except (OSError, ValueError) as error:
            plan = Plan(attempt_of(plan_path) if attempt is None else attempt)
            if plan.attempt > self._number:
                self._emit(type="note", text=f"attempt {plan.attempt} is not started: {plan_path}: {error}")
        if plan.attempt > self._number:
            self._number = plan.attempt
            self._queue.append(plan)
            if self._starter.is_held_back:  # nobody will tell it to go any more
                self._end(f"attempt {plan.attempt} is to start")
            self.advance()

    @property
    def template_fd(self) -> int:
        """The descriptor that tells of a template that is still importing; -1 when there is none."""
        return self._starter.template_fd

    def on_template(self) -> None:
        """The template has said something: what waits for it can go on."""
        self._starter.on_template()
        self._begin()

    def go(self, attempt: int) -> None:
        """All hosts of an attempt are ready: it may start here, now or as soon as it can. Once more is no more."""
        self._starter.release(attempt)
        self._begin()

    def stop(self, reason: str, *, attempt: int | None = None, stacks: bool = False, fenced: bool = False) -> None:
        """End what runs, and start nothing of what waits; the stop of an attempt before the latest comes too late.

        SIGTERM goes to every process group now, SIGKILL to whatever is left after the plan's grace. With `stacks`,
        ranks get SIGABRT instead, on which Python's faulthandler writes into their logs where they are. `fenced` says
        that the lease has run out.
        """
        if attempt is not None and attempt < self._number:
            return
        for plan in self._queue:
            self._emit(type="note", text=f"attempt {plan.attempt} is not started: {reason}")
        self._queue.clear()
        self._number = max(self._number, attempt or 0)
        if self.is_busy:
            self._end(reason, stacks=stacks, fenced=fenced)
        else:
            self._emit(type="host_idle", attempt=self._number)

    def _end(self, reason: str, *, stacks: bool = False, fenced: bool = False) -> None:
        """End what runs; what waits starts then."""
        if self._is_stopping:
            return
        self._is_stopping = True
        self._starter.is_waiting = False
        for child in self._children.values():
            child.stopped = True
            if stacks and child.rank is not None:
                forbid_core(child.pid)
                signal_process(child.pid, signal.SIGABRT)
            else:
                signal_group(child.pid, signal.SIGTERM)
        for child in self._children.values():
            signal_group(child.pid, signal.SIGCONT)  # a suspended process takes its SIGTERM only when it goes on
        self._after(float(self._plan["grace"]), self._kill)
        self._emit(type="gang_stopping", attempt=self._current, reason=reason, fenced=fenced or None)

    def reap(self) -> None:
        """Take note of every child that has ended."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._spared.discard(pid)
            child, code = self._children.pop(pid, None), os.waitstatus_to_exitcode(status)
            if child is not None:
                self._exited(child, code, usage.ru_maxrss)
            elif self._starter.on_exit(pid, code):
                self._begin()
            else:
                self._flood.on_exit(pid, code)

    def advance(self) -> None:
        """Do what is due, start what can start now, take the next steps of what runs, and look at its logs."""
        if self._timer is not None and time.monotonic() >= self._timer[0]:
            action = self._timer[1]
            self._timer = None
            action()
        while self._start_next() or self._take_step():
            pass
        if self.is_busy:
            self._flood.look()

    @property
    def _current(self) -> int:
        """The attempt that is spoken of: the latest, unless it waits for the one that runs."""
        return int(self._plan["attempt"]) if self._queue else self._number

    def _start_next(self) -> bool:
        """Start the next attempt that waits, if it can start; whether it was."""
        if not self._queue or (self.is_busy and not self._fits_beside(self._queue[0])):
            return False
        plan = self._queue.popleft()
        if not plan.content:
            self._emit(type="host_idle", attempt=plan.attempt)
            return True
        self._plan = plan.content
        self._starter.take(plan.content, plan.folder, is_alone=not self.is_busy)
        self._flood.take(plan.content.get("log_limit"), plan.folder, plan.logs, is_alone=not self.is_busy)
        self._oom.refresh()
        if not self.is_busy:
            self.is_busy = True
            self._is_stopping = False
            self._timer = None
            self._step = "ranks"
        self._begin()
        return True

    def _take_step(self) -> bool:
        """Ranks end, then services, then what they left behind; whether something has changed."""
        if not self.is_busy:
            return False
        if self._starter.is_waiting or any(child.rank is not None for child in self._children.values()):
            step = "ranks"
        elif self._children:
            step = "services"
        elif descendants(os.getpid(), self._spared):
            step = "daemons"
        else:
            step = "idle"
        if step == self._step:
            return False
        self._step = step
        self._enter(step)
        return True

    def _enter(self, step: str) -> None:
        self._killing_since = None
        if step == "services" and not self._is_stopping and self._holds_all_ranks():
            self._after(_SERVICE_LINGER, lambda: self._end("all ranks have ended"))
        elif step == "daemons":  # they would hold devices that the next attempt needs
            for pid in descendants(os.getpid(), self._spared):
                signal_process(pid, signal.SIGTERM)
            self._after(_DAEMON_GRACE, self._kill)
        elif step == "idle":
            self.is_busy = False
            self._timer = None
            self.idle_since = time.monotonic()
            self._emit(type="host_idle", attempt=self._current)

    def _fits_beside(self, plan: Plan) -> bool:
        """Whether a plan has nothing but ranks that do not run now, and what runs goes on."""
        if self._step != "ranks" or self._is_stopping or self._starter.is_waiting:
            return False
        return plan.is_independent and plan.ranks.isdisjoint(child.rank for child in self._children.values())

    def _holds_all_ranks(self) -> bool:
        """Whether no other host has ranks that this host's services serve; with others, the supervisor says when."""
        return bool(self._plan["ranks"]) and not has_elsewhere(self._plan, "ranks")

    # -- the start -----------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Start the latest attempt's processes, or come back when what they wait for may be there."""
        if not self._starter.is_waiting:
            return
        started = self._starter.start()
        if started is None:
            if self._starter.retry_pause is not None:
                self._after(self._starter.retry_pause, self._begin)
            return
        self._revived = 0
        if started.refusal is not None:
            self._end(started.refusal)
        self._take(started)

    def _take(self, started: Started) -> None:
        """Look after these processes from now on."""
        for child in started.children:
            self._children[child.pid] = child
        for name, rank in started.failed:
            self._failed(name, rank)

    # -- the end -------------------------------------------------------------------------------------------------------

    def _exited(self, child: Child, code: int, max_rss_kib: int) -> None:
        self._oom.refresh()
        killed = code in _KILLED and not child.stopped
        oom = self._oom.verdict(child.pid) if killed else None
        self._emit(
            type="process_exited",
            attempt=child.attempt,
            name=child.name,
            rank=child.rank,
            pid=child.pid,
            code=code,
            stopped=child.stopped,
            error=child.take_exec_error(),
            oom=oom,
            max_rss_kib=max_rss_kib,
        )
        if code != 0 and not child.stopped:
            self._failed(child.name, child.rank)
            if child.rank is None and not self._is_stopping:
                self._revive(child.name)

    def _revive(self, name: str) -> None:
        """Start a service again, a moment after it failed, while ranks need it.

        MindSpore's workers look for their scheduler for 20 s, on the port that it had.
        """
        if self._revived >= _REVIVALS:
            self._emit(type="note", text=f"{name} has failed {_REVIVALS + 1} times and is not started again")
            return
        self._revived += 1
        self._after(_REVIVAL_PAUSE * 2 ** (self._revived - 1), lambda: self._start_again(name))

    def _start_again(self, name: str) -> None:
        if any(child.rank is not None for child in self._children.values()):
            started = self._starter.start_again(name)
            self._take(started)
            if started.failed:
                self._revive(name)
            else:
                self._emit(type="note", text=f"{name} failed and was started again; the ranks go on")

    def _failed(self, name: str, rank: int | None) -> None:
        """In a gang, the others cannot finish without a rank that failed: stop them now, and ask nobody."""
        if rank is not None and self._plan["gang"]:
            self._end(f"{name} failed")

    def _kill(self) -> None:
        """SIGKILL to every descendant, again and again until none is left: one may fork while we look.

        What does not end hangs in the kernel, and may do so for ever: it is told of and left.
        """
        for child in self._children.values():
            child.stopped = True
        left = descendants(os.getpid(), self._spared)
        for pid in left:
            signal_process(pid, signal.SIGKILL)
        if self._killing_since is None:
            self._killing_since = time.monotonic()
        if left and time.monotonic() - self._killing_since >= _KILL_PATIENCE:
            pids = ", ".join(map(str, left))
            self._emit(type="note", text=f"SIGKILL does not end pid {pids}: it hangs in the kernel")
            self._spared.update(left)
            self._children.clear()
        else:
            self._after(_KILL_PAUSE, self._kill)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        """Do this later; it takes the place of what was to be done before."""
        self._timer = (time.monotonic() + seconds, action)
