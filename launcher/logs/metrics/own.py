"""Lines that a recipe describes itself, by patterns with named groups."""

from __future__ import annotations

import re
from collections.abc import Mapping

from launcher.logs.metrics.grammar import FLOAT, countable
from launcher.logs.metrics.observations import Counted, Metric, Step
from launcher.specs.patterns import compiled

LONGEST_LINE = 10_000  # bytes

_VALUES: dict[str, tuple[Metric, float]] = {
    "loss": (Metric.LOSS, 1.0),
    "lr": (Metric.LEARNING_RATE, 1.0),
    "loss_scale": (Metric.LOSS_SCALE, 1.0),
    "grad_norm": (Metric.GRAD_NORM, 1.0),
    "step_time": (Metric.STEP_SECONDS, 1.0),
    "step_time_ms": (Metric.STEP_SECONDS, 1e-3),
    "throughput": (Metric.THROUGHPUT, 1.0),
    "accuracy": (Metric.ACCURACY, 1.0),
}
_NUMBER = re.compile(FLOAT, re.ASCII)


def read(patterns: tuple[str, ...], line: bytes) -> Step | None:
    """What the patterns find in a line, all of them together; a group that is no number counts as not there."""
    found: dict[str, float] = {}
    for pattern in patterns:
        match = compiled(pattern).search(line)
        if match is not None:
            found = {**_numbers(match.groupdict()), **found}
    if not found:
        return None
    values = {metric: found[name] * factor for name, (metric, factor) in _VALUES.items() if name in found}
    return Step(
        step=_whole(found, "step"),
        steps=_whole(found, "steps"),
        epoch=countable(found.get("epoch")),
        epochs=_whole(found, "epochs"),
        counted=Counted.EITHER if "epoch" in found else Counted.TRAINING,
        values=values,
    )


def _numbers(groups: Mapping[str, bytes | None]) -> dict[str, float]:
    texts = {name: text.decode("ascii", "replace").replace(",", "") for name, text in groups.items() if text}
    return {name: float(text) for name, text in texts.items() if _NUMBER.fullmatch(text)}


def _whole(found: Mapping[str, float], name: str) -> int | None:
    number = countable(found.get(name))
    return None if number is None else int(number)
