"""Lines of MindSpore's callbacks (train/callback/_loss_monitor.py, _time_monitor.py), and of its `Model.fit`."""

from __future__ import annotations

import re
from typing import Literal

from launcher.logs.metrics.grammar import FLOAT, INT, by_pattern, printed_dict
from launcher.logs.metrics.observations import EpochTime, Evaluation, Metric, Step


def _loss(match: re.Match[str]) -> Step:
    return Step(int(match["step"]), epoch=int(match["epoch"]), values={Metric.LOSS: float(match["loss"])})


def _epoch_time(match: re.Match[str]) -> EpochTime:
    phase: Literal["train", "eval"] = "eval" if match["phase"] == "Eval" else "train"
    return EpochTime(phase, float(match["epoch"]) / 1000, float(match["step"]) / 1000)


def _evaluation(match: re.Match[str]) -> Evaluation | None:
    metrics = printed_dict(match["metrics"])
    return None if metrics is None else Evaluation(int(match["epoch"]), metrics)


MINDSPORE = (
    by_pattern(
        "loss is", rf"(?<!\S)epoch: (?P<epoch>{INT}),? step: (?P<step>{INT}), loss is (?P<loss>{FLOAT})\s*$", _loss
    ),
    by_pattern(
        "per step time:",
        r"(?:(?<!\S)(?P<phase>Train|Eval) )?epoch time: (?P<epoch>\d+(?:\.\d+)?) ms, "
        r"per step time: (?P<step>\d+(?:\.\d+)?) ms\s*$",
        _epoch_time,
    ),
    by_pattern(
        "Eval result:",
        rf"(?<!\S)Eval result: epoch (?P<epoch>{INT}), metrics: (?P<metrics>\{{.{{0,4000}}\}})\s*$",
        _evaluation,
    ),
)
