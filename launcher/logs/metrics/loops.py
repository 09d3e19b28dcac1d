"""Lines of training loops that people write, and of trainers that write such: MindFormers, MMEngine, the examples.

A line counts when it has a loss and an epoch or a step, in any order. One that speaks of validation or a test, and not
of a loss of training, is an evaluation.
"""

from __future__ import annotations

import re

from launcher.logs.metrics.fields import fields
from launcher.logs.metrics.grammar import INT, Grammar
from launcher.logs.metrics.observations import Counted, Evaluation, Metric, Observation, Step

_LONGEST = 2000
_IN_EPOCH = re.compile(
    rf"\bepoch(?:\(train\))?:?\s*\[\s*(?P<epoch>{INT})\s*\]\s*\[\s*(?P<step>{INT})\s*/\s*(?P<steps>{INT})\s*\]",
    re.IGNORECASE,
)
_IN_TRAINING = re.compile(rf"\biter\(train\)\s*\[\s*(?P<step>{INT})\s*/\s*(?P<steps>{INT})\s*\]", re.IGNORECASE)
_EVALUATES = re.compile(r"(?<![\w-])(?:val(?:id(?:ation)?)?|eval(?:uat\w*)?|test(?:ing)?)(?![a-zA-Z-])", re.IGNORECASE)


def _read(text: str) -> Observation | None:
    if len(text) > _LONGEST:
        return None
    if match := _IN_EPOCH.search(text):
        values = fields(text[match.end() :]).values
        return _with_loss(Step(int(match["step"]), int(match["steps"]), int(match["epoch"]), values=values))
    if match := _IN_TRAINING.search(text):
        values = fields(text[match.end() :]).values
        return _with_loss(Step(int(match["step"]), int(match["steps"]), counted=Counted.TRAINING, values=values))
    found = fields(text)
    if Metric.LOSS not in found.values or (found.step is None and found.epoch is None):
        return None
    if _EVALUATES.search(text) and not found.trains:
        return Evaluation(found.epoch, {metric.value: value for metric, value in found.values.items()})
    counted = Counted.TRAINING if found.is_global or found.epoch is None else Counted.EITHER
    return Step(found.step, found.steps, found.epoch, found.epochs, counted, found.values)


def _with_loss(step: Step) -> Step | None:
    return step if step.loss is not None else None


LOOPS = (Grammar(("loss", "Loss", "LOSS"), _read),)
