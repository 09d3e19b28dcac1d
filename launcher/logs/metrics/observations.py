"""What a line can say about training, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, TypeAlias


class Metric(str, Enum):
    """A number that goes with a step. Times are in seconds; a throughput is in whatever the script counts."""

    LOSS = "loss"
    LEARNING_RATE = "learning_rate"
    LOSS_SCALE = "loss_scale"
    GRAD_NORM = "grad_norm"
    STEP_SECONDS = "step_seconds"
    THROUGHPUT = "throughput"
    ACCURACY = "accuracy"


class Counted(Enum):
    """From where steps are counted: the start of training, of the epoch, or of a progress bar.

    `EITHER` is a line with an epoch whose steps may begin again with it or not. A bar may also count something else
    than training; `NAMELESS_BAR` says nothing of what it counts.
    """

    TRAINING = "training"
    EPOCH = "epoch"
    EITHER = "either"
    BAR = "bar"
    NAMELESS_BAR = "nameless bar"


@dataclass(frozen=True)
class Step:
    """Where training stands, as far as one line says it.

    `step` of `steps` are done, counted from what `counted` says; `epoch` of `epochs` is as the script prints it, from 0
    or 1, or the fraction that is done. `repeats` says that the line is drawn again and again with the same numbers.
    """

    step: int | None = None
    steps: int | None = None
    epoch: float | None = None
    epochs: int | None = None
    counted: Counted = Counted.EPOCH
    values: Mapping[Metric, float] = field(default_factory=dict)
    repeats: bool = False

    @property
    def loss(self) -> float | None:
        return self.values.get(Metric.LOSS)


@dataclass(frozen=True)
class EpochTime:
    """How long an epoch took, in seconds, and a step of it on average."""

    phase: Literal["train", "eval"]
    epoch_seconds: float
    step_seconds: float


@dataclass(frozen=True)
class Evaluation:
    """Metrics by name, after an epoch (None where the line does not say which)."""

    epoch: float | None
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TrainingSize:
    """How much the script is about to do."""

    epochs: int
    steps_per_epoch: int
    batch_per_rank: int
    ranks: int


@dataclass(frozen=True)
class Length:
    """How long training will be, where a script tells its epochs and its steps in separate lines."""

    epochs: int | None = None
    steps: int | None = None


@dataclass(frozen=True)
class Weights:
    """A digest of a rank's weights after a number of steps since the start of training."""

    sha256: str
    step: int


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint that is whole, after a number of steps since the start of training."""

    path: str
    step: int


@dataclass(frozen=True)
class Resumed:
    """The checkpoint that training went on from, and its step."""

    path: str
    step: int


Observation: TypeAlias = Step | EpochTime | Evaluation | TrainingSize | Length | Weights | CheckpointSaved | Resumed
