"""Progress bars of tqdm: steps done of all, the pace, and the loss when it stands before or behind the bar.

Everything has such bars, also what loads a data set or evaluates. One that is called so is none of training; one
without a name is taken for what it may be (`Counted.NAMELESS_BAR`).
"""

from __future__ import annotations

import re

from launcher.logs.metrics.fields import fields
from launcher.logs.metrics.grammar import INT, Grammar
from launcher.logs.metrics.observations import Counted, Metric, Step

_BAR = re.compile(
    rf"(?<!\d)\d{{1,3}}%\|[^|]{{0,300}}\| ?(?P<done>{INT})/(?P<total>{INT}) "
    r"\[(?P<spent>[\d:]+)<(?P<left>[\d:?]+),\s{0,8}(?P<rate>[\d.]+|\?)\s?"
    r"(?P<unit>(?:it|iter|step|batch)(?:s|es)?/s|s/(?:it|iter|step|batch))(?P<behind>[^\]]{0,500})"
)
_OF_TRAINING = re.compile(r"\b(?:train\w*|epochs?|iter\w*|steps?)\b", re.IGNORECASE)
_OF_OTHERS = re.compile(
    r"\b(?:val\w*|eval\w*|test\w*|predict\w*|infer\w*|sanity|load\w*|download\w*|fetch\w*|map|filter\w*|token\w*|split|"
    r"generat\w*|prepar\w*|preproc\w*|process\w*|pack\w*|cach\w*|convert\w*|sav\w*|writ\w*|compil\w*)\b",
    re.IGNORECASE,
)
_EPOCH = re.compile(rf"\bepoch\W{{0,3}}(?P<epoch>{INT})(?:\s?(?:/|of)\s?(?P<epochs>{INT}))?", re.IGNORECASE)
_LONGEST_NAME = 300
_OF_EPOCHS = re.compile(r"\s*epochs?\W*", re.IGNORECASE)


def _read(text: str) -> Step | None:
    match = _BAR.search(text)
    if match is None:
        return None
    before = text[max(match.start() - _LONGEST_NAME, 0) : match.start()]
    done, total = int(match["done"]), int(match["total"])
    values = fields(f"{before} {match['behind'].replace(',', ' ')}").values
    if _OF_OTHERS.search(before) or (not _OF_TRAINING.search(before) and before.strip(" :") and not values):
        return None
    if _OF_EPOCHS.fullmatch(before):
        return Step(epoch=done, epochs=total, values=values, repeats=True)
    if (seconds := _seconds(match["rate"], match["unit"])) is not None:
        values.setdefault(Metric.STEP_SECONDS, seconds)
    if epoch := _EPOCH.search(before):
        epochs = int(epoch["epochs"]) if epoch["epochs"] else None
        return Step(done, total, int(epoch["epoch"]), epochs, values=values, repeats=True)
    is_named = bool(before.strip(" :")) or Metric.LOSS in values
    counted = Counted.BAR if is_named else Counted.NAMELESS_BAR
    return Step(done, total, counted=counted, values=values, repeats=True)


def _seconds(rate: str, unit: str) -> float | None:
    """The time of a step."""
    if rate == "?" or rate.count(".") > 1 or not rate.strip(".") or float(rate) <= 0:
        return None
    return float(rate) if unit.startswith("s/") else 1 / float(rate)


BARS = (Grammar(("%|",), _read),)
