"""A run's record and logs as they grow."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from launcher.cli.lingering import lingering
from launcher.cli.view import Planned, RunView, planned
from launcher.logs.follow import SAFETY_TICK, Follower
from launcher.logs.metrics import reader_of
from launcher.logs.progress import RankProgress, advance
from launcher.logs.survey import share_of, survey
from launcher.runs.events import AttemptStarted
from launcher.runs.state import RunState
from launcher.supervise.followed_record import FollowedRecord

if TYPE_CHECKING:
    from launcher.runs.events import Event
    from launcher.runs.store import RunDirectory


class Screen(Protocol):
    """How a run is shown while it is followed."""

    def happened(self, events: Sequence[Event], view: RunView) -> None:
        """Something changed in the run."""

    def wrote(self, rank: int, lines: Sequence[bytes]) -> None:
        """The rank that speaks for all wrote these lines."""

    def draw(self, view: RunView) -> None:
        """This is how things stand now."""

    def close(self) -> None:
        """Nothing more is coming, or something else needs the terminal for a while."""


class Following:
    """A run's record and logs as they grow, folded into a view and shown on a screen.

    The lowest rank speaks for all; the lines of the others are only measured. With `since`, everything from that
    attempt on is told; without, what is there already is surveyed, and what is new is told.
    """

    def __init__(self, run: RunDirectory, screen: Screen, *, since: int | None) -> None:
        self.run = run
        self.screen = screen
        self._since = since
        self._record = FollowedRecord(run)
        self._follower: Follower[int] = Follower()
        self._follower.wake_for(run.layout.events)
        self._progress: dict[int, RankProgress] = {}
        self._fresh: set[int] = set()
        self._planned = Planned({}, {})
        self.view = RunView(run.path, RunState(), time.time())

    @property
    def ended(self) -> bool:
        return self.view.state.phase.ended

    def step(self) -> bool:
        """Take in and show what there is now; at the run's end, every line that is left.

        Whether the record had something new.
        """
        changes = self._record.read()
        state = self._record.state
        told: list[Event] = []
        if self._since is None:
            self._since = self._join(state)
        else:
            told = self._advance(changes, self._since)
        self._see(state)
        if told:
            self.screen.happened(told, self.view)
        for rank, lines in self._follower.read():
            self._take_in(rank, lines)
        if state.phase.ended:
            self._drain()
        self._see(state)
        self._see_bars()
        self.screen.draw(self.view)
        return bool(changes)

    def wait(self, *inputs: int) -> None:
        """Until there may be something new, a descriptor has input, or a second has passed."""
        self._follower.wait(SAFETY_TICK, *inputs)

    def close(self) -> None:
        self.screen.close()
        self._follower.close()

    def _advance(self, changes: Sequence[tuple[Event, RunState]], since: int) -> list[Event]:
        """Begin the attempts that have been started; the events that are to be told."""
        told = []
        for event, state in changes:
            if isinstance(event, AttemptStarted) and event.attempt >= since:
                self._begin_attempt(state)
            if state.attempt is not None and state.attempt.number >= since:
                told.append(event)
        return told

    def _join(self, state: RunState) -> int:
        """Come to a run that is under way; the number of the attempt to tell everything from."""
        if state.attempt is None:
            return 1
        self._planned = planned(self.run, state)
        self._see(state)
        for rank in state.ranks.values():
            log = self.run.rank_log(rank.attempt, rank.rank)
            seen = survey(log, reader_of(state.metrics), share_of(state.world_size))
            self._progress[rank.rank] = seen.progress
            self._follower.add(rank.rank, log, seen.offset)
        return state.attempt.number

    def _begin_attempt(self, state: RunState) -> None:
        assert state.attempt is not None
        self._drain(state.attempt.ranks)
        self._planned = planned(self.run, state)
        self._see(state)
        for number, rank in state.ranks.items():
            log = self.run.rank_log(rank.attempt, number)
            if number in state.attempt.ranks:
                self._progress[number] = RankProgress()
                self._follower.add(number, log)
                self._fresh.add(number)
            elif number not in self._progress:  # it ran in an attempt before, and not in this one
                found = survey(log, reader_of(state.metrics), share_of(state.world_size))
                self._progress[number] = found.progress

    def _see(self, state: RunState) -> None:
        now = time.time()
        left = lingering(self.run, state, now)
        self.view = RunView(self.run.path, state, now, dict(self._progress), *self._planned, left)

    def _see_bars(self) -> None:
        """Show how far progress bars are; their lines are taken in when they end."""
        reader, progress = reader_of(self.view.state.metrics), dict(self.view.progress)
        for rank, line in self._follower.last_states():
            if rank in progress and (seen := reader.observe(line)) is not None:
                progress[rank] = advance(progress[rank], seen)
        self.view = replace(self.view, progress=progress)

    def _drain(self, ranks: Sequence[int] | None = None) -> None:
        for rank, lines in self._follower.finish(ranks):
            self._take_in(rank, lines)

    def _take_in(self, rank: int, lines: Sequence[bytes]) -> None:
        # Lines that were there before anybody looked say nothing about when they were written.
        arrived = None if rank in self._fresh else time.time()
        self._fresh.discard(rank)
        progress, reader = self._progress[rank], reader_of(self.view.state.metrics)
        for _, line in reader.marked_lines(b"\n".join(lines)):
            if (seen := reader.observe(line)) is not None:
                progress = advance(progress, seen, arrived)
        self._progress[rank] = progress
        if rank == self._speaker:
            self.screen.wrote(rank, lines)

    @property
    def _speaker(self) -> int:
        attempt = self.view.state.attempt
        return attempt.ranks[0] if attempt is not None and attempt.ranks else 0
