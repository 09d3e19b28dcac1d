"""The numbers in a line that stand behind a name: `loss: 0.5`, `lr=1e-4`, `step:[ 2/ 100]`, `'grad_norm': 1.2`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from launcher.logs.metrics.grammar import FLOAT, INT, countable
from launcher.logs.metrics.observations import Metric

# Names as scripts write them, in lower case with underscores. What several trainers share stands here once.
_NAMES: dict[str, Metric] = {
    "loss": Metric.LOSS,
    "train_loss": Metric.LOSS,
    "train/loss": Metric.LOSS,
    "training_loss": Metric.LOSS,
    "total_loss": Metric.LOSS,
    "lm_loss": Metric.LOSS,
    "lr": Metric.LEARNING_RATE,
    "learning_rate": Metric.LEARNING_RATE,
    "loss_scale": Metric.LOSS_SCALE,
    "scale": Metric.LOSS_SCALE,
    "grad_norm": Metric.GRAD_NORM,
    "gradient_norm": Metric.GRAD_NORM,
    "global_norm": Metric.GRAD_NORM,
    "per_step_time": Metric.STEP_SECONDS,
    "step_time": Metric.STEP_SECONDS,
    "iter_time": Metric.STEP_SECONDS,
    "elapsed_time_per_iteration": Metric.STEP_SECONDS,
    "throughput": Metric.THROUGHPUT,
    "throughput_per_gpu": Metric.THROUGHPUT,
    "train_throughput_per_npu": Metric.THROUGHPUT,
    "samples_per_second": Metric.THROUGHPUT,
    "samples/s": Metric.THROUGHPUT,
    "tokens/s": Metric.THROUGHPUT,
    "fps": Metric.THROUGHPUT,
    "acc": Metric.ACCURACY,
    "accuracy": Metric.ACCURACY,
    "acc@1": Metric.ACCURACY,
    "top1": Metric.ACCURACY,
}
_STEPS = ("step", "global_step", "iter", "iteration", "batch")
_EPOCHS = ("epoch",)
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}

_NAME = "|".join(
    re.escape(name).replace("_", "[_ ]") for name in sorted((*_NAMES, *_STEPS, *_EPOCHS), key=len, reverse=True)
)
_FIELD = re.compile(
    rf"(?<![\w/.@-])(?P<name>{_NAME})(?![\w@])(?: ?\((?P<of>[^()]{{1,20}})\))?['\"]?\s{{0,4}}[:=]?"
    rf"\s{{0,4}}[\[('\"]{{0,2}}(?:tensor\()?\s{{0,20}}(?P<value>{FLOAT})"
    rf"(?:\s{{0,4}}/\s{{0,20}}(?P<total>{INT}))?(?:\s?(?P<unit>us|ms|s)\b)?",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fields:
    """What was found: numbers by metric, and where training stands; the first of each counts."""

    values: dict[Metric, float]
    step: int | None = None
    steps: int | None = None
    epoch: float | None = None
    epochs: int | None = None
    is_global: bool = False  # the step counts since the start of training, by its name
    trains: bool = False  # a loss is called that of training


def fields(text: str) -> Fields:
    """All fields of a line; a time is taken as seconds unless the line says otherwise."""
    values: dict[Metric, float] = {}
    step: tuple[int, int | None, str] | None = None
    epoch: tuple[float, int | None] | None = None
    trains = False
    for match in _FIELD.finditer(text):
        name = match["name"].lower().replace(" ", "_")
        number = float(match["value"])
        total = int(match["total"]) if match["total"] else None
        if (metric := _NAMES.get(name)) is not None:
            if metric is Metric.STEP_SECONDS:
                number *= _UNITS.get((match["unit"] or match["of"] or "s").lower(), 1.0)
            values.setdefault(metric, number)
            trains |= name.startswith("train") and metric is Metric.LOSS
        elif name in _EPOCHS:
            epoch = epoch or (None if countable(number) is None else (number, total))
        elif countable(number) is not None and number.is_integer():
            step = step or (int(number), total, name)
    return Fields(
        values=values,
        step=None if step is None else step[0],
        steps=None if step is None else step[1],
        epoch=None if epoch is None else epoch[0],
        epochs=None if epoch is None else epoch[1],
        is_global=step is not None and step[2] == "global_step",
        trains=trains,
    )
