"""Attends to one host of a run: takes over what its shim reports, tells it what to do, sees to it that there is one."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from launcher.hosts.tagged import tagged_processes
from launcher.runs.events import Event, HostBack, HostFenced, Note, ProcessStarted, ShimLost, decode
from launcher.runs.record import RecordReader, is_held
from launcher.runs.state import AttemptState, RunState
from launcher.runs.store import RunDirectory
from launcher.supervise.detached import start_shim
from launcher.supervise.heartbeat import keep_in_touch
from launcher.supervise.link import HostLink, LinkLost, Message, ShimLink

_log = logging.getLogger(__name__)
_RECONNECT_PAUSE = 0.2  # seconds between attempts to reach a shim that lives but does not answer
_SEND_TIMEOUT = 5.0  # seconds for a shim, or the agent before it, to take a message
_ANSWER_TIMEOUT = 0.5  # seconds
_KILL_PATIENCE = 10.0  # seconds
_KILL_PAUSE = 0.02  # seconds until those that appeared during a kill are killed too


class Attendant:
    """One host. `state` is what the record says now, and `tell` writes down what happened and has it considered."""

    def __init__(
        self, run: RunDirectory, host: str, link: HostLink, state: Callable[[], RunState], tell: Callable[..., None]
    ) -> None:
        self._run = run
        self._host = host
        self._link = link
        self._state = state
        self._tell = tell
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._clearing = asyncio.Lock()  # held while what a shim left is ended, and told of

    async def attend(self) -> None:
        """For ever, until cancelled."""
        await asyncio.gather(
            self._follow(), self._deliver(), keep_in_touch(self._host, self._renew, self._state, self._tell)
        )

    def send(self, message: Message) -> None:
        """Have the shim told, in the order of these calls, as soon as it can be reached."""
        self._messages.put_nowait(message)

    def see_to_shim(self, attempt: AttemptState) -> None:
        """Start a shim, with this attempt, where there is none and none has died of the attempt."""
        if not is_held(self._run.shim_lock(self._host)) and not self._has_begun(attempt):
            start_shim(self._run, self._host, attempt.number, self._seen)

    async def fence(self, attempt: AttemptState) -> None:
        """The lease has run out: the shim has ended its ranks.

        On this machine a shim that answers is well, whatever stood between us; one that does not is stuck: it is ended
        with all that it kept, and the host can be used again.
        """
        fenced = HostFenced(time=time.time(), host=self._host, attempt=attempt.number)
        back = HostBack(time=time.time(), host=self._host)
        if not is_held(self._run.shim_lock(self._host)):
            self._tell(fenced)
        elif await self._answers():
            self._link.reset()
            self._tell(back)
        else:
            async with self._clearing:
                with suppress(OSError, ValueError):
                    os.kill(int(self._run.shim_lock(self._host).read_text()), signal.SIGKILL)
                await self._end_what_is_left()
                self._tell(fenced, back)

    async def _renew(self) -> None:
        """Renew the lease, past whatever stands between us and a shim of this machine when it does not answer there."""
        is_unwell = self._host in self._state().unwell_hosts
        if is_unwell and is_held(self._run.shim_lock(self._host)) and await self._answers():
            self._link.reset()
            return
        await self._link.renew()

    async def _answers(self) -> bool:
        """Whether the shim of this machine answers on its own socket."""
        try:
            await asyncio.wait_for(ShimLink(self._run.shim_socket(self._host)).renew(), _ANSWER_TIMEOUT)
        except (LinkLost, asyncio.TimeoutError):
            return False
        return True

    @property
    def _seen(self) -> int:
        """The number of the last event that the record has of this host."""
        return self._state().seen.get(self._host, 0)

    async def _follow(self) -> None:
        """Take over every event into the record, once."""
        while True:
            try:
                lines = await self._link.events(self._seen)
            except LinkLost as lost:
                await self._on_link_lost(lost)
                continue
            self._tell(*(event for line in lines if (event := decode(line)) is not None))

    async def _on_link_lost(self, lost: LinkLost) -> None:
        """A shim that lives will answer again; one that has died took its ranks with it."""
        await asyncio.sleep(_RECONNECT_PAUSE)
        if is_held(self._run.shim_lock(self._host)):
            return
        last_words = self._unread_journal()
        if last_words:
            self._tell(*last_words)
        async with self._clearing:
            attempt = self._state().attempt
            if attempt is None or self._host not in attempt.busy_hosts or is_held(self._run.shim_lock(self._host)):
                return
            _log.warning("the shim of %s is gone: %s", self._host, lost)
            await self._end_what_is_left()
            self._tell(ShimLost(time=time.time(), host=self._host, attempt=attempt.number))
            if self._host in self._state().unwell_hosts:  # it answers no more, and need not
                self._tell(HostBack(time=time.time(), host=self._host))

    async def _end_what_is_left(self) -> None:
        """Kill what ranks of this run had detached from them: with the shim nobody is left who is its parent.

        A process that SIGKILL does not end, because it hangs in the kernel, is told of and left.
        """
        deadline = time.monotonic() + _KILL_PATIENCE
        try:
            while pids := await asyncio.wait_for(asyncio.to_thread(self._left), _KILL_PATIENCE):
                if time.monotonic() >= deadline:
                    text = f"SIGKILL does not end pid {', '.join(map(str, pids))}: it hangs in the kernel"
                    self._tell(Note(time=time.time(), text=text))
                    return
                for pid in pids:
                    with suppress(ProcessLookupError, PermissionError):
                        os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(_KILL_PAUSE)
        except asyncio.TimeoutError:  # the environment of such a process cannot be read either
            self._tell(Note(time=time.time(), text=f"what is left on {self._host} cannot be looked at: /proc hangs"))

    def _left(self) -> list[int]:
        return [process.pid for process in tagged_processes(self._run.path)]

    def _unread_journal(self) -> list[Event]:
        """Events that the shim wrote down before it died and nobody has taken over."""
        events = RecordReader(self._run.shim_journal(self._host)).read()
        return [event for event in events if event.host_seq is not None and event.host_seq > self._seen]

    def _has_begun(self, attempt: AttemptState) -> bool:
        """Whether a shim of this host has started something of the attempt, and so has died since."""
        started = (event for event in self._unread_journal() if isinstance(event, ProcessStarted))
        return any(event.attempt == attempt.number for event in started) or any(
            rank.host == self._host and rank.attempt == attempt.number for rank in self._state().ranks.values()
        )

    async def _deliver(self) -> None:
        """Send what there is to tell, for as long as it takes; of a shim that is gone there is nothing to ask."""
        while True:
            message = await self._messages.get()
            while not await self._has_sent(message):
                await asyncio.sleep(_RECONNECT_PAUSE)
                attempt = self._state().attempt
                is_over = attempt is None or self._host not in attempt.busy_hosts
                if is_over or not is_held(self._run.shim_lock(self._host)):
                    break

    async def _has_sent(self, message: Message) -> bool:
        try:
            await asyncio.wait_for(self._link.send(message), _SEND_TIMEOUT)
        except (LinkLost, asyncio.TimeoutError) as lost:
            _log.warning("%s cannot be told to %s: %s", self._host, message["op"], lost)
            return False
        return True
