"""Lines of the Trainer of transformers: a dict at each report; its steps are in the progress bar beside it."""

from __future__ import annotations

from launcher.logs.metrics.grammar import INT, Grammar, by_pattern, countable, printed_dict
from launcher.logs.metrics.observations import Counted, Evaluation, Length, Metric, Observation, Step

_LONGEST_DICT = 4000
_VALUES = {
    "loss": Metric.LOSS,
    "learning_rate": Metric.LEARNING_RATE,
    "grad_norm": Metric.GRAD_NORM,
    "train_samples_per_second": Metric.THROUGHPUT,
}
_COSTS = ("_runtime", "_per_second")  # what an evaluation took is no result of it


def _read(text: str) -> Observation | None:
    begin, end = text.find("{'"), text.rfind("}") + 1
    numbers = printed_dict(text[begin:end]) if 0 <= begin < end <= begin + _LONGEST_DICT else None
    if numbers is None:
        return None
    epoch, step = countable(numbers.get("epoch")), countable(numbers.get("step"))
    if any(name.startswith("eval_") for name in numbers):
        results = {name: value for name, value in numbers.items() if name != "epoch" and not name.endswith(_COSTS)}
        return Evaluation(epoch, results)
    values = {metric: numbers[name] for name, metric in _VALUES.items() if name in numbers}
    return Step(None if step is None else int(step), epoch=epoch, counted=Counted.TRAINING, values=values)


HUGGINGFACE = (
    Grammar(("'loss':", "'eval_loss':", "'eval_runtime':", "'train_runtime':"), _read),
    by_pattern("Num Epochs", rf"Num Epochs = (?P<epochs>{INT})", lambda match: Length(epochs=int(match["epochs"]))),
    by_pattern(
        "Total optimization steps",
        rf"Total optimization steps = (?P<steps>{INT}(?:,\d{{3}})*)",
        lambda match: Length(steps=int(match["steps"].replace(",", ""))),
    ),
)
