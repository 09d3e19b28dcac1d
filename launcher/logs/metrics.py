"""What one line of a training script's output says about its progress."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from launcher.logs.safe import safe_line


@dataclass(frozen=True)
class StepLoss:
    """A loss; `epoch` counts from 1 and `step` from 1 within the epoch."""

    epoch: int
    step: int
    loss: float


@dataclass(frozen=True)
class EpochTime:
    """How long an epoch took, in seconds, and a step of it on average."""

    phase: Literal["train", "eval"]
    epoch_seconds: float
    step_seconds: float


@dataclass(frozen=True)
class Evaluation:
    """Metrics by name, after an epoch."""

    epoch: int
    metrics: Mapping[str, float]


@dataclass(frozen=True)
class TrainingSize:
    """How much the script is about to do."""

    epochs: int
    steps_per_epoch: int
    batch_per_rank: int
    ranks: int


@dataclass(frozen=True)
class Weights:
    """A digest of a rank's weights after a number of steps since the start of training."""

    sha256: str
    step: int


@dataclass(frozen=True)
class CheckpointSaved:
    """A checkpoint that is whole, after a number of steps since the start of training."""

    path: str
    step: int


@dataclass(frozen=True)
class Resumed:
    """The checkpoint that training went on from, and its step."""

    path: str
    step: int


Observation: TypeAlias = StepLoss | EpochTime | Evaluation | TrainingSize | Weights | CheckpointSaved | Resumed


@dataclass(frozen=True)
class Grammar:
    """One form of line: `marker` is a text that every such line holds, looked for first because it is quick."""

    marker: str
    pattern: re.Pattern[str]
    value: Callable[[re.Match[str]], Observation | None]


def _step_loss(match: re.Match[str]) -> StepLoss:
    return StepLoss(int(match["epoch"]), int(match["step"]), float(match["loss"]))


def _epoch_time(match: re.Match[str]) -> EpochTime:
    phase: Literal["train", "eval"] = "eval" if match["phase"] == "Eval" else "train"
    return EpochTime(phase, float(match["epoch"]) / 1000, float(match["step"]) / 1000)


def _evaluation(match: re.Match[str]) -> Evaluation | None:
    try:
        tree = ast.parse(match["metrics"], mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(tree, ast.Dict):
        return None
    metrics = {}
    for key, node in zip(tree.keys, tree.values, strict=True):
        value = _metric(node)
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str) or value is None:
            return None
        metrics[key.value] = value
    return Evaluation(int(match["epoch"]), metrics)


def _metric(node: ast.expr) -> float | None:
    """A number in a printed dict; a framework prints some as a bare name (`nan`) or wrapped (`np.float32(0.5)`)."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=float() as number):
            return number
        case ast.Constant(value=int() as count) if count.bit_length() < 64:
            return float(count)
        case ast.Name(id="nan" | "inf" as name):
            return float(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _metric(operand)
            return None if value is None else -value
        case ast.Call(args=[argument], keywords=[]):
            return _metric(argument)
        case _:
            return None


def _training_size(match: re.Match[str]) -> TrainingSize:
    return TrainingSize(*(int(match[name]) for name in ("epochs", "steps", "batch", "ranks")))


_FLOAT = r"[-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|nan|inf)"
_INT = r"\d{1,18}"

# A new form of line is a new entry here. MindSpore: train/callback/_loss_monitor.py, _time_monitor.py.
GRAMMARS: tuple[Grammar, ...] = (
    Grammar(
        "loss is",
        re.compile(rf"(?<!\S)epoch: (?P<epoch>{_INT}),? step: (?P<step>{_INT}), loss is (?P<loss>{_FLOAT})\s*$"),
        _step_loss,
    ),
    Grammar(
        "per step time:",
        re.compile(
            r"(?:(?<!\S)(?P<phase>Train|Eval) )?epoch time: (?P<epoch>\d+(?:\.\d+)?) ms, "
            r"per step time: (?P<step>\d+(?:\.\d+)?) ms\s*$"
        ),
        _epoch_time,
    ),
    Grammar(
        "Eval result:",
        re.compile(rf"(?<!\S)Eval result: epoch (?P<epoch>{_INT}), metrics: (?P<metrics>\{{.{{0,4000}}\}})\s*$"),
        _evaluation,
    ),
    Grammar(
        "training: epochs:",
        re.compile(
            rf"(?<!\S)training: epochs: (?P<epochs>{_INT}), steps per epoch: (?P<steps>{_INT}), "
            rf"batch per rank: (?P<batch>{_INT}), ranks: (?P<ranks>{_INT})\s*$"
        ),
        _training_size,
    ),
    Grammar(
        "weights sha256:",
        re.compile(rf"(?<!\S)weights sha256: (?P<sha256>[0-9a-f]{{64}}) step: (?P<step>{_INT})\s*$"),
        lambda match: Weights(match["sha256"], int(match["step"])),
    ),
    Grammar(
        "checkpoint saved:",
        re.compile(rf"(?<!\S)checkpoint saved: (?P<path>.+) step: (?P<step>{_INT})\s*$"),
        lambda match: CheckpointSaved(match["path"], int(match["step"])),
    ),
    Grammar(
        "resumed from:",
        re.compile(rf"(?<!\S)resumed from: (?P<path>.+) step: (?P<step>{_INT})\s*$"),
        lambda match: Resumed(match["path"], int(match["step"])),
    ),
)

_ANY_MARKER = re.compile("|".join(re.escape(grammar.marker) for grammar in GRAMMARS).encode())
_LONGEST_LINE = 10_000


def observe(line: bytes) -> Observation | None:
    """What a line of a log says about progress, or None; never raises."""
    if _ANY_MARKER.search(line) is None or len(line) > _LONGEST_LINE:
        return None
    text = safe_line(line)
    for grammar in GRAMMARS:
        if grammar.marker in text and (match := grammar.pattern.search(text)):
            return grammar.value(match)
    return None


def marked_lines(block: bytes) -> Iterator[bytes]:
    """The lines of a piece of log that `observe` may have something to say about; the others cost next to nothing."""
    position = 0
    while match := _ANY_MARKER.search(block, position):
        begin = block.rfind(b"\n", position, match.start()) + 1 or position
        end = block.find(b"\n", match.end())
        position = len(block) if end < 0 else end + 1
        yield block[begin : len(block) if end < 0 else end]
