"""Attends to one host of a run: takes over what its shim reports, tells it what to do, sees to it that there is one."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TypeVar

from launcher.errors import NpuLaunchError
from launcher.runs.events import ClockMeasured, Event, HostBack, HostFenced, Note, ShimLost, corrected, decode
from launcher.runs.state import AttemptState, Reach, RunState
from launcher.runs.store import RunDirectory
from launcher.supervise import on_host
from launcher.supervise.belongings import Belongings
from launcher.supervise.clock_offset import ClockOffset
from launcher.supervise.heartbeat import UNREACHABLE_AFTER, keep_in_touch
from launcher.supervise.link import HostLink, LinkLost, Message, ShimLink
from launcher.supervise.parcels import Parcels
from launcher.supervise.patience import within
from launcher.supervise.scan.keeping import keep_scanning

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)
_RECONNECT_PAUSE = 0.2  # seconds between attempts to reach a shim that lives but does not answer
_IDLE_PAUSE = 2.0  # seconds between those to reach the shim of a host that has nothing of the attempt
_SEND_TIMEOUT = 5.0  # seconds for a shim, or the agent before it, to take a message
_ANSWER_TIMEOUT = 0.5  # seconds
_CALL_TIMEOUT = 60.0  # seconds for what else is to be done on a host; then it is asked for again
_CLEARING_TIMEOUT = 2 * on_host.KILL_PATIENCE


class Attendant:
    """One host. `state` is what the record says now, and `tell` writes down what happened and has it considered.

    `may_renew` says whether the home's lease may be renewed; `is_spread` whether ranks end with their lease. From
    `parcels` and `belongings` another host gets what only the home has.
    """

    def __init__(
        self,
        run: RunDirectory,
        host: str,
        link: HostLink,
        state: Callable[[], RunState],
        tell: Callable[..., None],
        *,
        may_renew: Callable[[], bool],
        is_spread: bool,
        parcels: Parcels,
        belongings: Belongings,
    ) -> None:
        self.link = link
        self._parcels = parcels
        self._belongings = belongings
        self._run = run
        self._host = host
        self._state = state
        self._tell = tell
        self._may_renew = may_renew
        self._is_spread = is_spread
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self._clearing = asyncio.Lock()  # held while what a shim left is ended and told of, or a shim is started
        self._seen_to = 0  # the latest attempt for which there has been a shim
        self._clock = ClockOffset()
        self._untold: Message | None = None  # what the host could not be told, and the log says so
        self._wanted = asyncio.Event()  # the host is to run something
        self._answered = True  # the last time it was asked
        self._reset_at = -math.inf  # monotonic seconds
        self._welcome: asyncio.Task[None] | None = None
        unwell = state().unwell_hosts.get(host)
        silence = 0.0 if unwell is None or unwell.heard is None else time.time() - unwell.heard
        self.heard = time.monotonic() - max(0.0, silence)
        """When the host answered last (monotonic seconds); at first as far as the record knows."""

    async def attend(self) -> None:
        """For ever, until cancelled."""
        try:
            await asyncio.gather(
                self._follow(),
                self._deliver(),
                keep_scanning(self._run, self._host, self._there, self._state),
                keep_in_touch(self._host, self._renew, self._state, self._tell),
            )
        finally:
            if self._welcome is not None:
                self._welcome.cancel()

    def send(self, message: Message) -> None:
        """Have the shim told, in the order of these calls, as soon as it can be reached."""
        self._messages.put_nowait(message)

    def take_up(self, attempt: AttemptState) -> None:
        """Have the attempt launched: by a shim that is started for it where there is none, and none has died of it."""
        self._wanted.set()
        plan = str(self._run.layout.attempt(attempt.number).plan)
        self.send({"op": "launch", "attempt": attempt.number, "plan": plan})

    async def fence(self, attempt: AttemptState) -> None:
        """The lease has run out: the shim has ended its ranks.

        Where the run has its home a shim that answers is well, whatever stood between us; one that does not is stuck:
        it is ended with all that it kept, and the host can be used again. Another host is not asked: it is welcome, and
        what is left there ended, when it answers again.
        """
        fenced = HostFenced(time=time.time(), host=self._host, attempt=attempt.number)
        back = HostBack(time=time.time(), host=self._host)
        if not self.link.is_home or not await self._is_kept():
            self._tell(fenced)
        elif await self._answers():
            self.link.reset()
            self._tell(back)
        else:
            async with self._clearing:
                await self._clear(with_shim=True)
                self._tell(fenced, back)

    # -- whether it answers --------------------------------------------------------------------------------------------

    async def _renew(self) -> None:
        """Renew the lease, and see to a host that has not answered."""
        if self.link.is_home:
            await self._renew_at_home()
        else:
            await self._renew_elsewhere()
        self._answered = True
        self.heard = time.monotonic()

    async def _renew_at_home(self) -> None:
        """Renew the lease, past whatever stands between us and a shim of this machine when it does not answer there."""
        if not self._may_renew():
            return
        is_unwell = self._host in self._state().unwell_hosts
        if is_unwell and await self._is_kept() and await self._answers():
            self.link.reset()
            return
        await self.link.renew()

    async def _renew_elsewhere(self) -> None:
        """Renew the lease of another host, but never by a word that it may get when its ranks are counted as ended.

        So one that has not answered is asked first whether it is there. One that was fenced has no lease any more: it
        is back when nothing is left there of what it ran.
        """
        unwell = self._state().unwell_hosts.get(self._host)
        if unwell is not None and time.monotonic() - self._reset_at > UNREACHABLE_AFTER:
            self._reset_at = time.monotonic()
            self.link.reset()  # an agent may hang
        if unwell is not None and unwell.reach is Reach.UNREACHABLE and self._attempt_here() is None:
            await self._end_leftovers()
            return
        if not self._answered:
            await self._is_kept()
        self._answered = False
        asked = time.time()
        try:
            self._on_clock(asked, await self.link.renew())
        except LinkLost:
            attempt = self._attempt_here()
            if attempt is None or attempt.number <= self._seen_to:
                raise
            await self._is_kept()  # there is no shim yet: the host answers for itself

    async def _end_leftovers(self) -> None:
        """Return when all that the run had left there is ended, though that take more than one call."""
        if self._welcome is None:
            self._welcome = asyncio.create_task(self._end_all())
        try:
            await asyncio.shield(self._welcome)
        finally:
            if self._welcome.done():
                self._welcome = None

    async def _end_all(self) -> None:
        async with self._clearing:
            if self._attempt_here() is None:
                await self._clear(with_shim=True)

    async def _is_kept(self) -> bool:
        return await self._there(on_host.is_kept, self._run, self._host)

    async def _there(self, work: Callable[..., _Result], *arguments: object) -> _Result:
        """Call a function of ours on the host; another one that cannot read its own files is as good as lost."""
        try:
            return await self.link.there(work, *arguments)
        except OSError as error:
            if self.link.is_home:
                raise
            raise LinkLost(f"{self._host}: {error}") from error

    async def _answers(self) -> bool:
        """Whether the shim of this machine answers on its own socket."""
        try:
            await within(ShimLink(self._run.shim_socket(self._host)).renew(), _ANSWER_TIMEOUT)
        except (LinkLost, asyncio.TimeoutError):
            return False
        return True

    # -- what it reports -----------------------------------------------------------------------------------------------

    @property
    def _seen(self) -> int:
        """The number of the last event that the record has of this host."""
        return self._state().seen.get(self._host, 0)

    def _attempt_here(self) -> AttemptState | None:
        """The current attempt, if this host may still have something of it."""
        attempt = self._state().attempt
        return attempt if attempt is not None and self._host in attempt.busy_hosts else None

    async def _follow(self) -> None:
        """Take over every event into the record, once."""
        while True:
            try:
                if not (self.link.is_home or self._clock.is_known):
                    asked = time.time()
                    self._on_clock(asked, await self._there(time.time))
                lines = await self.link.events(self._seen)
            except LinkLost as lost:
                with suppress(LinkLost):  # the host itself: its heartbeat tells of that
                    await self._on_link_lost(lost)
                continue
            self._take_over([event for line in lines if (event := decode(line)) is not None])

    def _take_over(self, events: Sequence[Event]) -> None:
        """Write down what the host tells, in our time."""
        self._tell(*(corrected(event, self._clock.seconds) for event in events))

    def _on_clock(self, asked: float, theirs: float) -> None:
        before = self._clock.behind
        words = self._clock.measure(self._host, asked, theirs, time.time())
        if self._clock.behind != before:
            self._tell(ClockMeasured(time=time.time(), host=self._host, behind=self._clock.behind))
        if words is not None:
            self._note(words)

    async def _on_link_lost(self, lost: LinkLost) -> None:
        """A shim that lives will answer again; one that has died took its ranks with it. Raises LinkLost."""
        if self._attempt_here() is None:
            self._wanted.clear()
            with suppress(asyncio.TimeoutError):
                await within(self._wanted.wait(), _IDLE_PAUSE)
        else:
            await asyncio.sleep(_RECONNECT_PAUSE)
        words = await self._there(on_host.last_words, self._run, self._host, self._seen)
        if words is None:
            return
        self._take_over(words)
        async with self._clearing:
            attempt = self._attempt_here()
            if attempt is None or attempt.number > self._seen_to or await self._is_kept():
                return
            _log.warning("the shim of %s is gone: %s", self._host, lost)
            await self._clear(with_shim=False)
            self._tell(ShimLost(time=time.time(), host=self._host, attempt=attempt.number))
            if self._host in self._state().unwell_hosts:  # it answers no more, and need not
                self._tell(HostBack(time=time.time(), host=self._host))

    async def _clear(self, *, with_shim: bool) -> None:
        """End what there is of this run on the host; a process that hangs in the kernel is told of and left.

        Raises LinkLost.
        """
        try:
            if with_shim:
                ending = self._there(on_host.end_shim, self._run, self._host)
            else:
                ending = self._there(on_host.end_what_is_left, self._run)
            left = await within(ending, _CLEARING_TIMEOUT)
        except asyncio.TimeoutError:  # the environment of such a process cannot be read either
            if not self.link.is_home:
                raise LinkLost(self._host) from None
            self._note(f"what is left on {self._host} cannot be looked at: /proc hangs")
            return
        if left:
            self._note(f"SIGKILL does not end pid {', '.join(map(str, left))} on {self._host}: it hangs in the kernel")

    def _note(self, text: str) -> None:
        self._tell(Note(time=time.time(), text=text))

    # -- what it is told -----------------------------------------------------------------------------------------------

    async def _deliver(self) -> None:
        """Send what there is to tell, for as long as it takes; of a shim that is gone there is nothing to ask."""
        while True:
            message = await self._messages.get()
            while not await self._has_sent(message):
                await asyncio.sleep(_RECONNECT_PAUSE)
                if await self._gives_up(message):
                    break

    async def _gives_up(self, message: Message) -> bool:
        """Whether to say this no more: word of an attempt must not hold up that of the next.

        Of a host that is to stop what no shim there was ever started for, the shim is told to be lost.
        """
        attempt = self._attempt_here()
        if attempt is None or message["attempt"] < attempt.number:
            return True
        if message["op"] == "launch" and attempt.told_to_stop:
            return True
        try:
            if attempt.number <= self._seen_to:
                return not await self._is_kept()
            if message["op"] != "stop" or await self._there(on_host.may_be_kept, self._run, self._host):
                return False
        except LinkLost:
            return False
        self._tell(ShimLost(time=time.time(), host=self._host, attempt=attempt.number))
        return True

    async def _has_sent(self, message: Message) -> bool:
        try:
            if message["op"] == "launch":
                await self._see_to_shim(message["attempt"])
            await within(self.link.send(message), _SEND_TIMEOUT)
        except (LinkLost, asyncio.TimeoutError) as lost:
            if message is not self._untold:
                self._untold = message
                _log.warning("%s cannot be told to %s yet: %r", self._host, message["op"], lost)
            return False
        except (NpuLaunchError, OSError) as error:
            self._note(f"host {self._host}: {error}")
            self._tell(ShimLost(time=time.time(), host=self._host, attempt=message["attempt"]))
        return True

    async def _see_to_shim(self, number: int) -> None:
        """Have a shim there for the attempt, and the files that it reads. Raises LinkLost, or what is in the way."""
        if number <= self._seen_to:
            return
        async with self._clearing:
            if not self.link.is_home:
                parcel = await self._parcels.of(number, self._host)
                delivering = self.link.there(on_host.deliver, self._run, on_host.home_mark(self._run), parcel.files)
                await within(delivering, _CALL_TIMEOUT)
                for path in parcel.belongings:
                    await self._belongings.bring(self.link, path, number)
            state = self._state()
            has_begun = any(rank.host == self._host and rank.attempt == number for rank in state.ranks.values())
            has_begun |= self._host in state.running_on  # of an attempt before, beside which this one starts
            if state.attempt is not None and state.attempt.number == number:
                has_begun |= self._host in state.attempt.ready_hosts
            starting = self.link.there(
                on_host.see_to_shim, self._run, self._host, number, self._seen, has_begun, self._is_spread
            )
            await within(starting, _CALL_TIMEOUT)
            self._seen_to = number
