"""What is to become of runs that have ended; pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from launcher.logs.keeping.limits import Keep

_PATIENCE_WITH_FAILURES = 2  # times the age at which others go, a failed run's first errors are kept


class Action(str, Enum):
    """What is done to a run: its long logs are cut to head, errors and tail, or all that is kept of it goes."""

    CUT = "cut"
    REMOVE = "remove"


@dataclass(frozen=True)
class KeptRun:
    """A run as far as keeping it goes.

    `size` are the bytes that its logs and its record take, without files of the user's, `cut_size` what they would take
    once its long logs were cut. `ended` is in seconds since the epoch; of a run that was lost, when it last wrote
    something. `held` says why nothing may be done to it; nothing is done for want of room to one that was lost, for it
    may be alive where it cannot be seen.
    """

    id: str
    size: int
    cut_size: int
    ended: float = 0.0
    failed: bool = False
    lost: bool = False
    held: str | None = None


@dataclass(frozen=True)
class Decision:
    """What is to be done to a run, why, and how many bytes that frees."""

    run: str
    action: Action
    reason: str
    frees: int

    def __str__(self) -> str:
        return f"{self.run}: {self.action.value}, {self.frees / (1 << 20):,.1f} MB: {self.reason}"


def decide(runs: Sequence[KeptRun], keep: Keep, now: float) -> tuple[Decision, ...]:
    """What has to go so that no run is kept for too long, and all of them take no more than they may.

    Those that ended first go first. A failed run has its long logs cut where another goes, and goes itself at twice
    the age, or when there is still too little room. A run that is held counts, and stays.
    """
    taking = {run.id: run.size for run in runs}
    chosen: dict[str, Decision] = {}

    def choose(run: KeptRun, action: Action, reason: str) -> None:
        left = 0 if action is Action.REMOVE else run.cut_size
        if left < taking[run.id]:
            taking[run.id] = left
            chosen[run.id] = Decision(run.id, action, reason, run.size - left)

    oldest_first = sorted((run for run in runs if run.held is None), key=lambda run: (run.ended, run.id))
    for run in oldest_first:
        if keep.seconds is not None and (age := now - run.ended) > keep.seconds:
            goes = not run.failed or age > _PATIENCE_WITH_FAILURES * keep.seconds
            what = "was last written" if run.lost else "ended"
            choose(run, Action.REMOVE if goes else Action.CUT, f"it {what} {age / 86400:.0f} days ago")
    if keep.size is not None:
        sure = [run for run in oldest_first if not run.lost]
        steps = [(run, Action.CUT if run.failed else Action.REMOVE) for run in sure]
        for run, action in [*steps, *((run, Action.REMOVE) for run in sure if run.failed)]:
            if sum(taking.values()) <= keep.size:
                break
            choose(run, action, f"all runs together take more than {keep.size / (1 << 30):.3g} GB")
    return tuple(chosen.values())
