"""Lines of the training scripts in `recipes/`: how long training is, where it resumed, what it saved."""

from __future__ import annotations

import re

from launcher.logs.metrics.grammar import INT, by_pattern
from launcher.logs.metrics.observations import CheckpointSaved, Resumed, TrainingSize, Weights


def _size(match: re.Match[str]) -> TrainingSize:
    return TrainingSize(*(int(match[name]) for name in ("epochs", "steps", "batch", "ranks")))


RECIPES = (
    by_pattern(
        "training: epochs:",
        rf"(?<!\S)training: epochs: (?P<epochs>{INT}), steps per epoch: (?P<steps>{INT}), "
        rf"batch per rank: (?P<batch>{INT}), ranks: (?P<ranks>{INT})\s*$",
        _size,
    ),
    by_pattern(
        "weights sha256:",
        rf"(?<!\S)weights sha256: (?P<sha256>[0-9a-f]{{64}}) step: (?P<step>{INT})\s*$",
        lambda match: Weights(match["sha256"], int(match["step"])),
    ),
    by_pattern(
        "checkpoint saved:",
        rf"(?<!\S)checkpoint saved: (?P<path>.+) step: (?P<step>{INT})\s*$",
        lambda match: CheckpointSaved(match["path"], int(match["step"])),
    ),
    by_pattern(
        "resumed from:",
        rf"(?<!\S)resumed from: (?P<path>.+) step: (?P<step>{INT})\s*$",
        lambda match: Resumed(match["path"], int(match["step"])),
    ),
)
