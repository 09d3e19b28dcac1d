"""What the output of a training script says about its progress: a table of grammars, one module a trainer."""

from __future__ import annotations

from launcher.logs.metrics.observations import (
    CheckpointSaved,
    Counted,
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
from launcher.logs.metrics.reader import LineReader, reader_of

__all__ = [
    "CheckpointSaved",
    "Counted",
    "EpochTime",
    "Evaluation",
    "Length",
    "LineReader",
    "Metric",
    "Observation",
    "Resumed",
    "Step",
    "TrainingSize",
    "Weights",
    "reader_of",
]
