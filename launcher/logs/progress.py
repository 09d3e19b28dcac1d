"""How far ranks have come: a fold over what their lines say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from types import MappingProxyType
from typing import NamedTuple

from launcher.logs.curve import Curve
from launcher.logs.metrics import (
    CheckpointSaved,
    EpochTime,
    Evaluation,
    Length,
    Metric,
    Observation,
    Resumed,
    Step,
    TrainingSize,
    Weights,
)
from launcher.logs.odometer import Odometer, lengthened, turned

_ARRIVALS_KEPT = 20
_NONE: Mapping[Metric, float] = MappingProxyType({})
_EVALUATIONS_KEPT = 1000
_LONGEST_STEP = 1e7  # seconds: what is longer was misunderstood


class RankProgress(NamedTuple):
    """One rank in one attempt. `steps_done` counts from the start of training, over epochs and resumes.

    `first` and `last` are the ends of each metric's series, `losses` is the shape of that of the loss. `arrivals` are
    (time, steps done) of the latest steps that were seen as they happened.
    """

    size: TrainingSize | None = None
    resumed: Resumed | None = None
    odometer: Odometer = Odometer()
    first: Mapping[Metric, float] = _NONE
    last: Mapping[Metric, float] = _NONE
    losses: Curve = Curve()
    arrivals: tuple[tuple[float, int], ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    weights: Weights | None = None
    checkpoint: CheckpointSaved | None = None

    @property
    def first_loss(self) -> float | None:
        return self.first.get(Metric.LOSS)

    @property
    def last_loss(self) -> float | None:
        return self.last.get(Metric.LOSS)

    @property
    def trains(self) -> bool:
        """Whether a line told of a step for certain."""
        return self.odometer.trains

    @property
    def total_steps(self) -> int | None:
        """The steps of the whole training, when the script says how many there are."""
        return self.size.epochs * self.size.steps_per_epoch if self.size else self.odometer.total

    @property
    def steps_done(self) -> int | None:
        """Steps since the start of training; None when no line allows to tell."""
        known = [mark.step for mark in (self.resumed, self.checkpoint, self.weights) if mark]
        if (done := self.odometer.done(self.size.steps_per_epoch if self.size else None)) is not None:
            known.append(done)
        if known:
            return max(known)
        return 0 if self.size else None

    @property
    def step_seconds(self) -> float | None:
        """The time of a step: the median of the latest that were seen to arrive, else what the script reports."""
        steps = [
            (later - earlier) / (after - before)
            for (earlier, before), (later, after) in zip(self.arrivals, self.arrivals[1:], strict=False)
            if after > before
        ]
        if steps:
            return median(steps)
        told = self.last.get(Metric.STEP_SECONDS)
        return told if told is not None and 0 < told < _LONGEST_STEP else None


def advance(progress: RankProgress, seen: Observation, arrived: float | None = None) -> RankProgress:
    """The progress after one more observation; `arrived` is when its line appeared, None when it is an old line."""
    match seen:
        case Step():
            return _stepped(progress, seen, arrived)
        case TrainingSize():
            return progress._replace(size=seen)
        case Length():
            return progress._replace(odometer=lengthened(progress.odometer, seen))
        case Resumed():
            return progress._replace(resumed=seen)
        case EpochTime(phase="train"):
            return progress._replace(last={**progress.last, Metric.STEP_SECONDS: seen.step_seconds})
        case Evaluation():
            return progress._replace(evaluations=(*progress.evaluations, seen)[-_EVALUATIONS_KEPT:])
        case Weights():
            return progress._replace(weights=seen)
        case CheckpointSaved():
            return progress._replace(checkpoint=seen)
        case _:
            return progress


def _stepped(progress: RankProgress, seen: Step, arrived: float | None) -> RankProgress:
    before = progress.steps_done
    losses = progress.losses if seen.loss is None else progress.losses.plus(seen.loss)
    after = progress._replace(
        odometer=turned(progress.odometer, seen),
        first={**seen.values, **progress.first},
        last={**progress.last, **seen.values},
        losses=losses,
    )
    done = after.steps_done
    # The state of a bar in which nothing has been done yet says nothing about the pace.
    if arrived is None or done is None or (done == before == 0):
        return after
    return after._replace(arrivals=_arrived(progress.arrivals, arrived, done))


def _arrived(arrivals: tuple[tuple[float, int], ...], time: float, done: int) -> tuple[tuple[float, int], ...]:
    """Lines read together arrived together: they say how many steps were done by then, not how long each took."""
    if arrivals and arrivals[-1][0] == time:
        arrivals = arrivals[:-1]
    return (*arrivals, (time, done))[-_ARRIVALS_KEPT:]


@dataclass(frozen=True)
class RunProgress:
    """All ranks together, which is the slowest of them: a gang waits for its last rank."""

    slowest: int | None = None
    steps_done: int | None = None
    total_steps: int | None = None
    step_seconds: float | None = None

    @property
    def fraction(self) -> float | None:
        """From 0 to 1."""
        if self.steps_done is None or not self.total_steps:
            return None
        return min(self.steps_done / self.total_steps, 1.0)

    @property
    def eta_seconds(self) -> float | None:
        """Seconds until the last step at the present pace."""
        if self.steps_done is None or self.total_steps is None or self.step_seconds is None:
            return None
        return max(self.total_steps - self.steps_done, 0) * self.step_seconds


def overall(ranks: Mapping[int, RankProgress]) -> RunProgress:
    """How far a run is; ranks whose lines say nothing about steps are left out."""
    done = {rank: steps for rank, progress in ranks.items() if (steps := progress.steps_done) is not None}
    if not done:
        return RunProgress()
    slowest = min(done, key=lambda rank: (done[rank], rank))
    paces = [pace for rank in done if (pace := ranks[rank].step_seconds) is not None]
    totals = [total for rank in done if (total := ranks[rank].total_steps) is not None]
    return RunProgress(
        slowest=slowest,
        steps_done=done[slowest],
        total_steps=max(totals, default=None),
        step_seconds=max(paces, default=None),
    )


@dataclass(frozen=True)
class WeightsAgreement:
    """Which ranks had which weights after `step`: (digest, ranks), the largest group first."""

    step: int
    groups: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def identical(self) -> bool:
        return len(self.groups) == 1


def weights_agreement(ranks: Mapping[int, RankProgress]) -> WeightsAgreement | None:
    """Whether the ranks that reported their weights have the same; None when none did.

    Only digests of the same step can be compared: ranks that are a step behind are left out.
    """
    reported = {rank: progress.weights for rank, progress in sorted(ranks.items()) if progress.weights}
    if not reported:
        return None
    step = max(weights.step for weights in reported.values())
    groups: dict[str, list[int]] = {}
    for rank, weights in reported.items():
        if weights.step == step:
            groups.setdefault(weights.sha256, []).append(rank)
    by_size = sorted(groups.items(), key=lambda group: (-len(group[1]), group[1]))
    return WeightsAgreement(step, tuple((digest, tuple(members)) for digest, members in by_size))
