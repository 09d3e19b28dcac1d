"""Lines of Keras, with its bar or without, and of TF Estimator, whose steps count from the start of training."""

from __future__ import annotations

import re

from launcher.logs.metrics.fields import fields
from launcher.logs.metrics.grammar import FLOAT, INT, Grammar, by_pattern
from launcher.logs.metrics.observations import Counted, Metric, Step

_BATCH = re.compile(
    rf"(?<![\w/.])(?P<done>{INT})/(?P<total>{INT})\s+(?:\[[=>.]{{3,200}}\]|━[━ ]{{0,200}}|-)\s(?P<rest>.{{0,2000}})"
)
_PACE = re.compile(r"(?<![\w.])(?P<time>\d+(?:\.\d+)?)(?P<unit>us|ms|s)/step\b")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def _batch(text: str) -> Step | None:
    match = _BATCH.search(text)
    if match is None:
        return None
    values = fields(match["rest"]).values
    if Metric.LOSS not in values:
        return None
    if pace := _PACE.search(match["rest"]):
        values[Metric.STEP_SECONDS] = float(pace["time"]) * _UNITS[pace["unit"]]
    return Step(int(match["done"]), int(match["total"]), values=values, repeats=True)


def _estimator(match: re.Match[str]) -> Step:
    return Step(int(match["step"]), counted=Counted.TRAINING, values={Metric.LOSS: float(match["loss"])})


def _pace(match: re.Match[str]) -> Step | None:
    rate = float(match["rate"])
    return Step(counted=Counted.TRAINING, values={Metric.STEP_SECONDS: 1 / rate}) if rate > 0 else None


TENSORFLOW = (
    Grammar(("loss:",), _batch),
    by_pattern(
        "Epoch ",
        rf"^Epoch (?P<epoch>{INT})/(?P<epochs>{INT})\s*$",
        lambda match: Step(epoch=int(match["epoch"]), epochs=int(match["epochs"])),
    ),
    by_pattern("loss = ", rf"(?<!\w)loss = (?P<loss>{FLOAT}), step = (?P<step>{INT})(?!\w)", _estimator),
    by_pattern("global_step/sec", rf"(?<!\w)global_step/sec: (?P<rate>{FLOAT})", _pace),
)
