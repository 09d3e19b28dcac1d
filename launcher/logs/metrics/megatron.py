"""Lines of Megatron-LM and MindSpeed: fields between bars, in any order and in part (facts/logs.md, section 6)."""

from __future__ import annotations

import re

from launcher.logs.metrics.fields import fields
from launcher.logs.metrics.grammar import FLOAT, INT, Grammar
from launcher.logs.metrics.observations import Counted, Evaluation, Metric, Observation, Step

_ITERATION = re.compile(rf"(?<!\w)iteration\s+(?P<done>{INT})/\s*(?P<of>{INT})\s*\|")
_VALIDATION = re.compile(
    rf"(?<!\w)(?P<set>validation|test) loss at .{{0,80}}?\| (?P<name>[\w ]{{1,40}}) value: (?P<loss>{FLOAT})"
)
_LM_LOSS = re.compile(rf"\| lm loss: (?P<loss>{FLOAT})")


def _read(text: str) -> Observation | None:
    if match := _ITERATION.search(text):
        found = fields(text[match.end() :]).values
        if loss := _LM_LOSS.search(text):  # others, such as that of a mixture's balance, may stand before it
            found[Metric.LOSS] = float(loss["loss"])
        return Step(int(match["done"]), int(match["of"]), counted=Counted.TRAINING, values=found)
    if match := _VALIDATION.search(text):
        return Evaluation(None, {f"{match['set']} {match['name']}": float(match["loss"])})
    return None


MEGATRON = (Grammar(("iteration ", "validation loss at", "test loss at"), _read),)
