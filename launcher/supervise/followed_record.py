"""A run's record as it grows, folded."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from launcher.logs.follow import SAFETY_TICK
from launcher.runs.fold import apply, fold
from launcher.runs.record import RecordReader
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory, as_lost
from launcher.supervise.detached import ensure_kept

if TYPE_CHECKING:
    from launcher.runs.events import Event

# Between two supervisors, and while a new attempt's processes come up, nobody has the run for a moment.
_CHECKS_UNTIL_REVIVED = 3
_CHECKS_UNTIL_LOST = 10
_SETTLE_PAUSE = 0.05  # seconds between looks
_BETWEEN_SUPERVISORS = 2.0  # seconds; the keeper of a run that was started just now would be there
_UNTIL_KEPT = 30.0  # seconds for a new keeper to take the run, on a machine that is busy
_UNTIL_WRITTEN = 30.0  # seconds for it to hear and write down what has become of the run


class FollowedRecord:
    """The state of a run now, at the price of what is new.

    A run that nobody supervises gets a keeper again, which writes down what has become of it; one that cannot be kept
    is lost.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._reader = RecordReader(run.layout.events)
        self._unsupervised = 0
        self._next_check = time.monotonic()
        self.state = RunState()

    def read(self) -> list[tuple[Event, RunState]]:
        """The new events, each with the state after it; `state` is that after all of them."""
        news = []
        for event in self._reader.read():
            self.state = apply(self.state, event)
            news.append((event, self.state))
        if not self.state.phase.ended and time.monotonic() >= self._next_check:
            self._next_check = time.monotonic() + SAFETY_TICK
            self._check()
        return news

    def _check(self) -> None:
        self._unsupervised = 0 if self._run.is_supervised() else self._unsupervised + 1
        if self._unsupervised == _CHECKS_UNTIL_REVIVED:
            ensure_kept(self._run)
        elif self._unsupervised >= _CHECKS_UNTIL_LOST:
            self.state = as_lost(self.state)


def settle(run: RunDirectory) -> RunState:
    """The state of a run; one that nobody supervises gets a keeper first, which writes down what has become of it.

    Takes some seconds for such a run (on a busy machine up to a minute), none for any other.
    """
    reader = RecordReader(run.layout.events)
    state = fold(reader.read())

    def in_time(is_settled: Callable[[], bool], patience: float) -> bool:
        """Wait until this is so, or the run has ended."""
        nonlocal state
        deadline = time.monotonic() + patience
        while not (state.phase.ended or is_settled()):
            if time.monotonic() > deadline:
                return False
            time.sleep(_SETTLE_PAUSE)
            state = fold(reader.read(), state)
        return True

    if in_time(run.is_supervised, _BETWEEN_SUPERVISORS):
        return run.state()
    keeper = ensure_kept(run)

    def is_gone() -> bool:
        return keeper is None or keeper.poll() is not None

    if in_time(lambda: run.is_supervised() or is_gone(), _UNTIL_KEPT):
        in_time(lambda: _goes_on(run, state) or is_gone(), _UNTIL_WRITTEN)
    return run.state()


def _goes_on(run: RunDirectory, state: RunState) -> bool:
    """Whether this state is all that the shims of this machine have told, and ranks run in it or are about to.

    A shim outlives its ranks until somebody has heard how they ended.
    """
    attempt = state.attempt
    is_busy = state.pending is not None or (attempt is not None and bool(attempt.busy_hosts))
    return (
        is_busy and run.has_shim(state) and not any(run.unread(host, state.seen.get(host, 0)) for host in state.hosts)
    )
