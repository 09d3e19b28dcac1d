"""Lines of training scripts are understood, and nothing else is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.metrics import (
    CheckpointSaved,
    EpochTime,
    Evaluation,
    Resumed,
    StepLoss,
    TrainingSize,
    Weights,
    observe,
)

DIGEST = "3fa9" * 16


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"epoch: 1 step: 5, loss is 1.2345", StepLoss(1, 5, 1.2345)),
        (b"epoch: 0, step: 10, loss is 1.80", StepLoss(0, 10, 1.8)),
        (b"epoch: 3 step: 20, loss is 9.5e-07", StepLoss(3, 20, 9.5e-07)),
        (b"epoch: 3 step: 20, loss is inf", StepLoss(3, 20, math.inf)),
        (b"[rank0]: epoch: 1 step: 5, loss is -2", StepLoss(1, 5, -2.0)),
        (b"\x1b[32mepoch: 1 step: 5, loss is 1.5\x1b[0m\r", StepLoss(1, 5, 1.5)),
        (b"Train epoch time: 1234.567 ms, per step time: 12.345 ms", EpochTime("train", 1.234567, 0.012345)),
        (b"Eval epoch time: 1000.000 ms, per step time: 10.000 ms", EpochTime("eval", 1.0, 0.01)),
        (b"epoch time: 2000.000 ms, per step time: 20.000 ms", EpochTime("train", 2.0, 0.02)),
        (b"Eval result: epoch 2, metrics: {'mIoU': 0.61, 'acc': 1}", Evaluation(2, {"mIoU": 0.61, "acc": 1.0})),
        (b"Eval result: epoch 2, metrics: {}", Evaluation(2, {})),
        (
            b"Eval result: epoch 2, metrics: {'a': -inf, 'b': np.float32(0.5)}",
            Evaluation(2, {"a": -math.inf, "b": 0.5}),
        ),
        (b"training: epochs: 2, steps per epoch: 20, batch per rank: 4, ranks: 8", TrainingSize(2, 20, 4, 8)),
        (f"weights sha256: {DIGEST} step: 40".encode(), Weights(DIGEST, 40)),
        (b"checkpoint saved: /a b/step: 1/x.ckpt step: 20", CheckpointSaved("/a b/step: 1/x.ckpt", 20)),
        (b"resumed from: /data/x.ckpt step: 20", Resumed("/data/x.ckpt", 20)),
    ],
)
def test_a_line_of_progress_is_understood(line: bytes, value: object) -> None:
    assert observe(line) == value


def test_a_loss_that_is_nan_is_a_loss() -> None:
    seen = observe(b"epoch: 1 step: 5, loss is nan")
    assert isinstance(seen, StepLoss)
    assert math.isnan(seen.loss)


def test_a_metric_that_is_nan_is_a_metric() -> None:
    seen = observe(b"Eval result: epoch 1, metrics: {'mIoU': nan, 'acc': 0.5}")
    assert isinstance(seen, Evaluation)
    assert math.isnan(seen.metrics["mIoU"])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"the loss is large",
        b"In epoch: 1 step: 5, loss is NAN or INF, training process cannot continue, terminating training.",
        b"epoch: 1 step: 5, loss is 1.2345 or so",
        b"epoch: 1 step: 5, loss is",
        b"epoch: " + b"9" * 5000 + b" step: 5, loss is 1",
        b"Eval result: epoch 1, metrics: {'a': __import__('os').system('true')}",
        b"Eval result: epoch 1, metrics: {'a': [1]}",
        b"Eval result: epoch 1, metrics: {'a': 0.5",
        b"Eval result: epoch 1, metrics: {" + b"(" * 3000 + b"}",
        b"Eval result: epoch 1, metrics: {**{}}",
        b"Eval result: epoch 1, metrics: {'a': True}",
        b"weights sha256: 12ab step: 40",
        b"weights sha256: " + b"x" * 20000 + b" step: 40",
    ],
)
def test_a_line_that_only_looks_like_progress_is_none(line: bytes) -> None:
    assert observe(line) is None


@given(st.binary(max_size=100), st.sampled_from([b"loss is", b"Eval result: epoch 1, metrics: {", b"resumed from:"]))
def test_no_line_is_an_error(noise: bytes, marker: bytes) -> None:
    observe(noise + marker + noise)
    observe(marker + noise + b"}")
