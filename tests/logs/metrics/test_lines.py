"""Lines of training scripts are understood, and nothing else is."""

import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs.metrics import (
    CheckpointSaved,
    EpochTime,
    Evaluation,
    Metric,
    Resumed,
    Step,
    TrainingSize,
    Weights,
    reader_of,
)
from launcher.logs.progress import RankProgress, advance, overall
from launcher.logs.trouble import Health

DIGEST = "3fa9" * 16
observe = reader_of().observe


def stepped(epoch: int, step: int, loss: float) -> Step:
    return Step(step, epoch=epoch, values={Metric.LOSS: loss})


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"epoch: 1 step: 5, loss is 1.2345", stepped(1, 5, 1.2345)),
        (b"epoch: 0, step: 10, loss is 1.80", stepped(0, 10, 1.8)),
        (b"epoch: 3 step: 20, loss is 9.5e-07", stepped(3, 20, 9.5e-07)),
        (b"epoch: 3 step: 20, loss is inf", stepped(3, 20, math.inf)),
        (b"[rank0]: epoch: 1 step: 5, loss is -2", stepped(1, 5, -2.0)),
        (b"\x1b[32mepoch: 1 step: 5, loss is 1.5\x1b[0m\r", stepped(1, 5, 1.5)),
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
    assert isinstance(seen, Step) and seen.loss is not None
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
        b"{'loss': open('/etc/passwd')}",
        b"{'loss': " + b"[" * 3000,
        b"Loading checkpoint shards:  50%|#####     | 1/2 [00:01<00:01,  1.50s/it]",
        b"file.bin:  40%|####      | 40/100 [00:10<00:20, 120MB/s]",
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


MARKERS = [b"loss is", b"Eval result: epoch 1, metrics: {", b"resumed from:", b"{'loss': ", b"iteration 1/2 |"]
MARKERS += [b" 50%|##| 1/2 [00:01<00:01, 1.0it/s", b"1/2 [===] - loss: ", b"epoch [1/2] loss: 0.", b"loss = 1, step = "]


@given(st.binary(max_size=100), st.sampled_from(MARKERS))
def test_no_line_is_an_error(noise: bytes, marker: bytes) -> None:
    observe(noise + marker + noise)
    observe(marker + noise + b"}")


@given(st.lists(st.tuples(st.sampled_from([*MARKERS, b"", b"some text"]), st.sampled_from([b"\n", b"\r", b"\r\n"]))))
def test_marked_lines_are_all_that_is_understood_each_once_with_its_offset(parts: list[tuple[bytes, bytes]]) -> None:
    block = b"".join(text + end for text, end in parts)
    expected = [text for text, _ in parts if any(marker in text for marker in MARKERS)]
    found = list(reader_of().marked_lines(block))
    assert [line for _, line in found] == expected
    assert all(block[offset : offset + len(line)] == line for offset, line in found)


NUMBERS = ["0", "1", "2", "7/9", "100", "nan", "inf", "-inf", "-3", "1e308", "9" * 18, "0.5", "1_000", "[3/4]", "'5'"]
NAMES = ["epoch", "step", "iter", "loss", "'loss'", "lr", "loss_scale", "step_time", "iteration", "Epoch", "eval_loss"]
LINES = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from([": ", "=", " "]), st.sampled_from(NUMBERS)))


@settings(max_examples=50)
@given(st.lists(LINES, max_size=8), st.sampled_from([" ", ", ", " | "]))
def test_no_number_is_an_error_in_any_fold(lines: list[list[tuple[str, str, str]]], between: str) -> None:
    reader = reader_of((r"step=(?P<step>\S+)", r"epoch=(?P<epoch>\S+)"))
    progress, health = RankProgress(), Health()
    for second, fields in enumerate(lines):
        line = between.join("".join(field) for field in fields)
        for form in (
            line,
            f"{{{line}}}",
            f" iteration 1/ 9 | {line} |",
            f"4/9 [==>..] - {line}",
            f"9%|#| 1/9 [0:1<0:1, 1it/s, {line}]",
        ):
            if (seen := reader.observe(form.encode())) is not None:
                progress = advance(progress, seen, float(second))
                health = health.after(seen, 0, b"", progress.steps_done, float(second))
                left = overall({0: progress}).eta_seconds
                assert left is None or 0 <= left < math.inf


def test_no_line_takes_long() -> None:
    pieces = [
        *MARKERS,
        b"1",
        b" ",
        b"{",
        b"{'a",
        b"%|",
        b"epoch ",
        b"step: ",
        b"9%|#| 1/9 [",
        b"iteration 1/",
        b"1/2 - ",
    ]
    pieces += [b"checkpoint saved: ", b"loss: 1", b"iteration 1/2 | validation loss at | ", b"[", b"tensor("]
    began = time.process_time()
    for marker in MARKERS:
        for piece in pieces:
            observe(marker + piece * (9_900 // len(piece)))
            observe(piece * (9_900 // len(piece)) + marker)
    assert time.process_time() - began < 0.02 * 2 * len(MARKERS) * len(pieces)


def test_of_a_line_that_returns_to_its_start_the_last_state_counts() -> None:
    bars = b"".join(b"\rtrain: %2d%%|#| %d/99 [00:10<00:10, 1.00it/s]" % (step, step) for step in range(99))
    seen = observe(bars * 5)
    assert isinstance(seen, Step)
    assert (seen.step, seen.steps) == (98, 99)
