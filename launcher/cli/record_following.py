"""A run's record as it grows, folded."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from launcher.logs.follow import SAFETY_TICK
from launcher.runs.record import RecordReader
from launcher.runs.state import RunState, apply
from launcher.runs.store import fold_lost

if TYPE_CHECKING:
    from launcher.runs.events import Event
    from launcher.runs.store import RunDirectory

# A new attempt's processes need a moment until they hold the locks that show that they live.
_CHECKS_UNTIL_LOST = 3


class FollowedRecord:
    """The state of a run now, at the price of what is new; a run that nobody keeps for a while is lost."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._reader = RecordReader(run.layout.events)
        self._unkept = 0
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
            self._unkept = 0 if self._run.is_kept(self.state) else self._unkept + 1
            if self._unkept >= _CHECKS_UNTIL_LOST:
                self.state = fold_lost(self.state)
        return news
