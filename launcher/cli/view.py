"""All that is known of a run at one moment, as a value that can be shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from launcher.cli.diagnosing import kept_verdict
from launcher.cli.lingering import NOTHING, Lingering, lingering
from launcher.logs.metrics import reader_of
from launcher.logs.progress import RankProgress, RunProgress, WeightsAgreement, overall, weights_agreement
from launcher.logs.safe import safe_line
from launcher.logs.survey import share_of, survey
from launcher.logs.tail import last_lines
from launcher.runs.ledger import Ledger, ledger

if TYPE_CHECKING:
    from launcher.diagnose.verdict import Verdict
    from launcher.runs.state import RunState
    from launcher.runs.store import RunDirectory

LAST_LINES = 15


@dataclass(frozen=True)
class RunView:
    """A run's record, what its ranks' logs say, and where its ranks are; `places` are such as `node-a/3`.

    `combinations` are the values by which the ranks of a sweep differ, by their dotted paths.

    `lingering` is what should have ended long ago, `verdict` what is kept of why it ended badly.
    """

    path: Path
    state: RunState
    now: float
    progress: Mapping[int, RankProgress] = field(default_factory=dict)
    places: Mapping[int, str] = field(default_factory=dict)
    combinations: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    lingering: Lingering = NOTHING
    verdict: Verdict | None = None

    @property
    def id(self) -> str:
        return self.path.name

    @cached_property
    def overall(self) -> RunProgress:
        return overall(self.progress)

    @cached_property
    def weights(self) -> WeightsAgreement | None:
        return weights_agreement(self.progress)

    @cached_property
    def ledger(self) -> Ledger:
        """Where the time went."""
        return ledger(self.state, self.now)

    @property
    def elapsed(self) -> float:
        """Seconds since the run was created, up to its end; the time between an end and a rerun does not count."""
        if self.state.attempts:
            return self.ledger.wall
        return 0.0 if self.state.phase.ended else self.now - self.state.created


def look(run: RunDirectory, now: float) -> RunView:
    """The run as its record and its logs show it now, from a bounded part of large logs."""
    state = run.state()
    budget, reader = share_of(state.world_size), reader_of(state.metrics)
    progress = {
        rank: survey(run.rank_log(known.attempt, rank), reader, budget).progress
        for rank, known in state.ranks.items()
        if known.attempt
    }
    return RunView(
        run.path, state, now, progress, *planned(run, state), lingering(run, state, now), kept_verdict(run, state)
    )


class Planned(NamedTuple):
    """What the attempts' plans say of ranks: `host/device` of each, and of a sweep the combination of each."""

    places: Mapping[int, str]
    combinations: Mapping[int, Mapping[str, Any]]


def planned(run: RunDirectory, state: RunState) -> Planned:
    """What the plans say; ranks whose plan cannot be read are missing."""
    places: dict[int, str] = {}
    combinations: dict[int, Mapping[str, Any]] = {}
    for attempt in state.attempts:
        try:
            plan = json.loads(run.layout.attempt(attempt.number).plan.read_text(encoding="utf-8"))
            for process in plan["ranks"]:
                device = process.get("device")
                where = process["host"] if device is None else f"{process['host']}/{device}"
                places[int(process["rank"])] = safe_line(where)
                if combination := dict(process.get("combination", {})):
                    combinations[int(process["rank"])] = combination
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return Planned(places, combinations)


def last_words(run: RunDirectory, state: RunState) -> list[str]:
    """The last log lines of the rank that failed first, made safe; none when no rank failed in the last attempt."""
    attempt = state.attempt
    if attempt is None or attempt.first_failure is None:
        return []
    path = run.rank_log(attempt.number, attempt.first_failure)
    return [safe_line(line, 500) for line in last_lines(path, LAST_LINES)]
