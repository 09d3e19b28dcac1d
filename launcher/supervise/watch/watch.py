"""Looks at a run's ranks once a second, and tells what the record should know of it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from launcher.logs.metrics import reader_of
from launcher.logs.progress import overall
from launcher.runs.events import Event, HangFound, StragglerFound, TroubleFound
from launcher.runs.state import AttemptState, RankPhase, Reach, RunState
from launcher.runs.store import RunDirectory
from launcher.specs import HangPolicy, Recipe
from launcher.supervise.link import HostLink
from launcher.supervise.watch.clocks import Moment, looked_away, were_set
from launcher.supervise.watch.dump import from_log, write_stacks
from launcher.supervise.watch.hosts import stacks_on, use_on
from launcher.supervise.watch.milestones import milestone
from launcher.supervise.watch.sampling import LogSampler, Look, signs_of, signs_so_far
from launcher.supervise.watch.stacks import RankStack, group
from launcher.supervise.watch.standstill import Pulse, Signs, Verdict, feel, judge, wants_use
from launcher.supervise.watch.stragglers import Mark, Paces, compare
from launcher.supervise.watch.troubles import Troubles

_log = logging.getLogger(__name__)
_PERIOD = 1.0  # seconds between looks


class Watch:
    """One run's ranks. What it has told before it reads from the record, so another supervisor's watch goes on there.

    `state` and `recipe` are what counts at the moment, `link_of` is the way to a host (None: none is known), and `tell`
    writes events down and has them considered.
    """

    def __init__(
        self,
        run: RunDirectory,
        state: Callable[[], RunState],
        recipe: Callable[[], Recipe],
        link_of: Callable[[str], HostLink | None],
        tell: Callable[[Event], None],
        clock: Callable[[], Moment] = Moment.now,
    ) -> None:
        self._run = run
        self._state = state
        self._recipe = recipe
        self._link_of = link_of
        self._tell = tell
        self._clock = clock
        self._looked: Moment | None = None
        self._attempt = 0
        self._samplers: dict[int, tuple[int, LogSampler]] = {}  # rank to the attempt that runs it, and its log
        self._marks: dict[int, Mark] = {}
        self._pulse: Pulse | None = None
        self._paces: Paces | None = None
        self._troubles = Troubles()
        self._caught_up: tuple[int, bool, bool] | None = None

    async def watch(self) -> None:
        """For ever; cancel it."""
        while True:
            await asyncio.sleep(_PERIOD)
            try:
                await self.look()
            except Exception:  # whatever lies in a log or in /proc, the run goes on
                _log.exception("the ranks could not be looked at")

    def catch_up(self) -> list[Event]:
        """What the logs of an attempt tell that nobody has looked at yet, now that it has failed or ended.

        To be recorded before anything is decided. Nothing, and at no cost, at any other time.
        """
        state = self._state()
        attempt = state.attempt
        if attempt is None:
            return []
        stage = (attempt.number, attempt.failed is not None, not attempt.busy_hosts)
        if stage == self._caught_up or not (stage[1] or stage[2]):
            return []
        self._caught_up = stage
        try:
            return self._last_events(state, attempt)
        except Exception:  # as above
            _log.exception("the last of the logs could not be read")
            return []

    def _last_events(self, state: RunState, attempt: AttemptState) -> list[Event]:
        self._begin(attempt)
        now = self._clock().wall
        self._sample(state, attempt.ranks, now)
        events: list[Event] = [*self._new_troubles()]
        last = milestone(attempt, self._marks_of(attempt.ranks), now, is_last=True)
        if last is not None:
            events.append(last)
        hang = attempt.hang
        if not attempt.busy_hosts and hang is not None and hang.fatal and hang.path is None:
            events.append(self._with_last_stacks(state, hang))
        return events

    # -- a look --------------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Look at the ranks once; nothing is judged on a time in which nobody looked."""
        began = self._clock()
        if self._looked is not None and looked_away(self._looked, began):
            self._look_anew(self._looked, began)
        try:
            await self._look(began.wall)
        finally:
            self._looked = self._clock()
            if were_set(began, self._looked):
                self._look_anew(began, self._looked)

    def _look_anew(self, before: Moment, after: Moment) -> None:
        if self._pulse is not None:
            self._pulse = self._pulse.anew(after.wall, after.wall - before.wall)
        if self._paces is not None:
            self._paces = Paces(after.wall)
        for _, sampler in self._samplers.values():
            sampler.look_anew()

    async def _look(self, now: float) -> None:
        state = self._state()
        attempt = state.attempt
        if attempt is None or not attempt.busy_hosts:
            return
        self._begin(attempt)
        signs = self._sample(state, state.ranks_in(RankPhase.RUNNING), now)
        for trouble in self._new_troubles():
            self._tell(trouble)
        reached = milestone(attempt, self._marks_of(attempt.ranks), now)
        if reached is not None:
            self._tell(reached)
        if not _is_watchable(state, attempt) or any(map(self._is_out_of_sight, _pids(state))):
            self._pulse = self._paces = None
            return
        for event in self._slow_ranks(state, attempt, now):
            self._tell(event)
        verdict = await self._feel(state, attempt, signs, now)
        if verdict is not None:
            await self._report(verdict)

    def _begin(self, attempt: AttemptState) -> None:
        """Forget what an attempt before this one did."""
        if attempt.number != self._attempt:
            self._attempt = attempt.number
            self._pulse = self._paces = None
            self._troubles = Troubles()
            for rank in attempt.ranks:
                self._samplers.pop(rank, None)
                self._marks.pop(rank, None)

    def _sample(self, state: RunState, ranks: Iterable[int], now: float) -> Signs:
        """Read what is new in these ranks' logs."""
        looks: list[Look] = []
        for rank in ranks:
            known = state.ranks.get(rank)
            look = self._sampler(rank, known.attempt).look(now) if known is not None else None
            if look is None:
                continue
            looks.append(look)
            steps = self._samplers[rank][1].progress.steps_done
            if look.stepped and steps is not None:
                self._marks[rank] = Mark(look.at, steps)
        self._troubles.take_in(looks, [sampler.health for _, sampler in self._samplers.values()])
        return signs_of(looks)

    def _sampler(self, rank: int, attempt: int) -> LogSampler:
        known = self._samplers.get(rank)
        if known is None or known[0] != attempt:
            log = self._run.rank_log(attempt, rank)
            state = self._state()
            sampler = LogSampler(rank, log, state.world_size, reader_of(state.metrics))
            known = self._samplers[rank] = (attempt, sampler)
            self._marks.pop(rank, None)
        return known[1]

    def _marks_of(self, ranks: Iterable[int]) -> dict[int, Mark]:
        return {rank: self._marks[rank] for rank in ranks if rank in self._marks}

    def _is_out_of_sight(self, host: str) -> bool:
        """Whether nothing is known of ranks that may well come on, because their host has not answered for long."""
        unwell, link = self._state().unwell_hosts.get(host), self._link_of(host)
        return unwell is not None and unwell.reach is Reach.UNREACHABLE and not (link is not None and link.is_home)

    def _reach(self, host: str) -> HostLink | None:
        return None if self._is_out_of_sight(host) else self._link_of(host)

    # -- trouble -------------------------------------------------------------------------------------------------------

    def _new_troubles(self) -> list[TroubleFound]:
        return self._troubles.to_tell(self._attempt, self._state().troubles)

    # -- stragglers ----------------------------------------------------------------------------------------------------

    def _slow_ranks(self, state: RunState, attempt: AttemptState, now: float) -> list[StragglerFound]:
        if self._recipe().sweep:  # each rank has work of its own, and a pace that goes with it
            return []
        marks = self._marks_of(state.ranks_in(RankPhase.RUNNING))
        if self._paces is None:
            self._paces = Paces(now, marks)
        self._paces, found = compare(self._paces, marks, now)
        told = {straggler.rank for straggler in state.stragglers if straggler.attempt == attempt.number}
        return [
            StragglerFound(time=now, attempt=attempt.number, rank=rank, slowdown=round(slowdown, 2))
            for rank, slowdown in found.items()
            if rank not in told
        ]

    # -- standstills ---------------------------------------------------------------------------------------------------

    async def _feel(self, state: RunState, attempt: AttemptState, signs: Signs, now: float) -> Verdict | None:
        """Take the pulse of the attempt; the verdict on it, unless the record has it already."""
        if self._pulse is None:
            self._pulse = Pulse.start(attempt.launched or attempt.started, now)
            running = state.ranks_in(RankPhase.RUNNING)
            signs = signs_so_far([self._samplers[rank][1] for rank in running if rank in self._samplers], now)
        exits = [rank.exit.time for rank in state.ranks.values() if rank.exit is not None and rank.exit.time <= now]
        if exits:  # that a rank has come to its end is progress
            signs = replace(signs, marked=max(*exits, signs.marked or 0.0))
        self._pulse = feel(self._pulse, signs)
        hang = self._recipe().hang
        if wants_use(self._pulse, hang, now):
            use = await use_on(_pids(state), now, self._reach)
            if self._pulse is None:  # another attempt has begun meanwhile
                return None
            self._pulse = feel(self._pulse, Signs(use=use))
        verdict = judge(self._pulse, hang, now, can_stop=self._recipe().gang)
        if verdict is not None and verdict.fatal and hang.policy is HangPolicy.AUTO and self._has_done_all():
            verdict = replace(verdict, fatal=False)
        known = attempt.hang
        if verdict is None or known is None or known.time < verdict.since:
            return verdict
        return verdict if verdict.fatal and not known.fatal else None

    def _has_done_all(self) -> bool:
        """Whether every step of the training is done: there is nothing left that a restart could do better."""
        done = overall({rank: sampler.progress for rank, (_, sampler) in self._samplers.items()})
        return done.steps_done is not None and bool(done.total_steps) and done.steps_done >= (done.total_steps or 0)

    async def _report(self, verdict: Verdict) -> None:
        """Find out where the ranks are, and tell; unless they have come on meanwhile."""
        pids = _pids(self._state())
        stacks = await stacks_on(pids, self._reach)
        state, now = self._state(), self._clock().wall
        attempt = state.attempt
        if attempt is None or attempt.number != self._attempt or not _is_watchable(state, attempt):
            return
        signs = self._sample(state, [rank for of_host in pids.values() for rank in of_host], now)
        if self._pulse is not None:
            self._pulse = feel(self._pulse, signs)
            if self._pulse.alive > verdict.since:
                return
        found = group(stacks)
        hang = HangFound(
            time=now,
            attempt=attempt.number,
            since=verdict.since,
            limit=round(verdict.limit, 3),
            fatal=verdict.fatal,
            odd=found.odd,
            stacks=found.words,
        )
        if _is_told(stacks) or not self._can_ask_again(hang):
            hang = self._saved(hang, stacks)
        self._tell(hang)

    def _can_ask_again(self, hang: HangFound) -> bool:
        """Whether the ranks can write their stacks themselves, at their end."""
        return hang.fatal and self._recipe().runs_python

    def _with_last_stacks(self, state: RunState, hang: HangFound) -> HangFound:
        """The same standstill, with what the ranks have written about it when they were ended with SIGABRT.

        What was seen of them from outside counts no more for a rank that tells itself: it may have been a moment's.
        """
        stacks = [
            from_log(rank, known.pid or 0, self._run.rank_log(known.attempt, rank))
            for rank, known in sorted(state.ranks.items())
            if known.attempt == hang.attempt
        ]
        if any(stack.threads for stack in stacks):
            found = group(stacks)
            silent = {stack.rank for stack in stacks if not stack.threads}
            odd = tuple(sorted({*found.odd, *(silent.intersection(hang.odd) if len(hang.odd) < len(stacks) else ())}))
            hang = hang.model_copy(update={"stacks": found.words, "odd": odd})
        return self._saved(hang, stacks)

    def _saved(self, hang: HangFound, stacks: list[RankStack]) -> HangFound:
        path = self._run.layout.attempt(hang.attempt).stacks
        when = time.strftime("%F %T", time.localtime(hang.time))
        title = f"{when}: no rank has come on for {hang.time - hang.since:.0f} s"
        if not write_stacks(path, title, stacks):
            return hang
        return hang.model_copy(update={"path": str(path.relative_to(self._run.path))})


def asks_for_stacks(attempt: AttemptState) -> bool:
    """Whether ranks that are to be stopped should first write their stacks: nobody else could read them."""
    return attempt.hang is not None and attempt.hang.fatal and attempt.hang.path is None


def _is_watchable(state: RunState, attempt: AttemptState) -> bool:
    """Whether ranks can be expected to come on: all are started, and nobody stops them."""
    return (
        bool(state.count(RankPhase.RUNNING))
        and not state.count(RankPhase.WAITING)
        and state.stop_requested_by is None
        and attempt.stopping is None
        and not attempt.told_to_stop
        and not (attempt.hang is not None and attempt.hang.fatal)
    )


def _pids(state: RunState) -> dict[str, dict[int, int]]:
    """The process ids of running ranks, by host and rank."""
    pids: dict[str, dict[int, int]] = {}
    for rank in state.ranks_in(RankPhase.RUNNING):
        known = state.ranks[rank]
        if known.pid is not None and known.host is not None:
            pids.setdefault(known.host, {})[rank] = known.pid
    return pids


def _is_told(stacks: list[RankStack]) -> bool:
    """Whether the stack of any rank is known, or that there can be none."""
    return any(stack.threads for stack in stacks) or all(stack.problem == "it is not Python" for stack in stacks)
