"""All that is known of a run at one moment, as a value that can be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.logs.progress import RankProgress, RunProgress, WeightsAgreement, overall, weights_agreement
from launcher.logs.safe import safe_line
from launcher.logs.survey import share_of, survey
from launcher.logs.tail import last_lines

if TYPE_CHECKING:
    from launcher.runs.state import AttemptState, RunState
    from launcher.runs.store import RunDirectory

LAST_LINES = 15


@dataclass(frozen=True)
class RunView:
    """A run's record, what its ranks' logs say, and where its ranks are; `places` are such as `node-a/3`."""

    path: Path
    state: RunState
    now: float
    progress: Mapping[int, RankProgress] = field(default_factory=dict)
    places: Mapping[int, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.path.name

    @cached_property
    def overall(self) -> RunProgress:
        return overall(self.progress)

    @cached_property
    def weights(self) -> WeightsAgreement | None:
        return weights_agreement(self.progress)

    @property
    def elapsed(self) -> float:
        """Seconds in which there were attempts: a rerun does not count the time since the end before it."""
        if not self.state.attempts:
            return 0.0 if self.state.phase.ended else self.now - self.state.created
        ends = ((attempt.started, self.end_of(attempt)) for attempt in self.state.attempts)
        return sum(end - started for started, end in ends if end is not None)

    def end_of(self, attempt: AttemptState) -> float | None:
        """When an attempt ended; now, while it runs; None when nobody was there to see its end."""
        if attempt.ended is not None:
            return attempt.ended
        if attempt != self.state.attempt:
            return None
        return max(self.last_sign_of_life, attempt.started) if self.state.phase.ended else self.now

    @property
    def last_sign_of_life(self) -> float:
        """The time of the last thing that the record says of a rank."""
        times = [self.state.created]
        for rank in self.state.ranks.values():
            times += [time for time in (rank.started, rank.exit.time if rank.exit else None) if time is not None]
        return max(times)


def look(run: RunDirectory, now: float) -> RunView:
    """The run as its record and its logs show it now, from a bounded part of large logs."""
    state = run.state()
    budget = share_of(state.world_size)
    progress = {
        rank: survey(run.rank_log(known.attempt, rank), budget).progress
        for rank, known in state.ranks.items()
        if known.attempt
    }
    return RunView(run.path, state, now, progress, places(run, state))


def places(run: RunDirectory, state: RunState) -> dict[int, str]:
    """`host/device` of every rank, from the attempts' plans; ranks whose plan cannot be read are missing."""
    found: dict[int, str] = {}
    for attempt in state.attempts:
        try:
            plan = json.loads(run.layout.attempt(attempt.number).plan.read_text(encoding="utf-8"))
            for process in plan["ranks"]:
                device = process.get("device")
                where = process["host"] if device is None else f"{process['host']}/{device}"
                found[int(process["rank"])] = safe_line(where)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return found


def last_words(run: RunDirectory, state: RunState) -> list[str]:
    """The last log lines of the rank that failed first, made safe; none when no rank failed in the last attempt."""
    attempt = state.attempt
    if attempt is None or attempt.first_failure is None:
        return []
    path = run.rank_log(attempt.number, attempt.first_failure)
    return [safe_line(line, 500) for line in last_lines(path, LAST_LINES)]
