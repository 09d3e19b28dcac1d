"""The output of every trainer tells how far it is and how it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.logs.metrics import Metric, reader_of
from launcher.logs.progress import RankProgress
from launcher.logs.survey import survey

CAPTURES = Path(__file__).parents[2] / "captures" / "training"


def progress_of(name: str) -> RankProgress:
    return survey(CAPTURES / f"{name}.log", reader_of()).progress


@pytest.mark.parametrize(
    ("name", "done", "total", "first_loss", "last_loss"),
    [
        ("mindspore_callbacks", 5, None, 2.3025, 1.8001),
        ("mindspore_recipe", 24, 24, 1.5986149311065674, 0.5932730436325073),
        ("mindformers", 140, 200, 10.512, 7.25),
        ("megatron", 4873, 10000, 10.83457, 3.296875),
        ("hf_trainer", 210, 400, 2.5131, 1.5),
        ("hf_finished", 20, 20, 0.9, 0.9),
        ("tqdm_epochs", 150, 300, 2.5, 1.5),
        ("lightning", 200, None, 2.99, 1.0),
        ("keras2", 600, 1000, 2.31, 0.7),
        ("keras3", 540, 2500, 0.6301, 0.35),
        ("estimator", 200, None, 2.3026, 0.8),
        ("loop_brackets", 700, 6000, 2.3034, 0.9034),
        ("loop_zero_based", 30, None, 1.8, 1.6),
        ("loop_global_step", 200, None, 3.5, 2.5),
        ("imagenet", 5015, None, 7.0, 6.9),
        ("mmengine", 1100, None, 1.25, 1.1),
    ],
)
def test_steps_and_losses_of_every_trainer_are_known(
    name: str, done: int, total: int | None, first_loss: float, last_loss: float
) -> None:
    progress = progress_of(name)
    assert (progress.steps_done, progress.total_steps) == (done, total)
    assert (progress.first_loss, progress.last_loss) == (first_loss, last_loss)
    assert progress.trains


@pytest.mark.parametrize(
    ("name", "metrics"),
    [
        (
            "megatron",
            {
                Metric.LEARNING_RATE: 1.5e-4,
                Metric.LOSS_SCALE: 1.0,
                Metric.GRAD_NORM: 0.43,
                Metric.STEP_SECONDS: 8.5,
                Metric.THROUGHPUT: 156.1,
            },
        ),
        (
            "mindformers",
            {
                Metric.LEARNING_RATE: 2e-5,
                Metric.LOSS_SCALE: 32768.0,
                Metric.GRAD_NORM: 0.8,
                Metric.STEP_SECONDS: 1.234,
                Metric.THROUGHPUT: 130.0,
            },
        ),
        ("mindspore_callbacks", {Metric.STEP_SECONDS: 0.411522}),
        ("mindspore_recipe", {Metric.STEP_SECONDS: 1.390523}),
        ("hf_trainer", {Metric.LEARNING_RATE: 2.5e-5, Metric.GRAD_NORM: 0.5, Metric.STEP_SECONDS: 0.8}),
        ("keras3", {Metric.ACCURACY: 0.9, Metric.STEP_SECONDS: 0.011}),
        ("estimator", {Metric.STEP_SECONDS: 0.125}),
        ("imagenet", {Metric.ACCURACY: 0.39}),
    ],
)
def test_what_else_a_line_tells_is_known(name: str, metrics: dict[Metric, float]) -> None:
    last = dict(progress_of(name).last)
    del last[Metric.LOSS]
    assert last == metrics


@pytest.mark.parametrize(
    ("name", "epoch", "metrics"),
    [
        ("mindspore_callbacks", 2, {"Accuracy": 0.61}),
        ("megatron", None, {"validation lm loss": 10.7}),
        ("hf_trainer", 2.0, {"eval_loss": 1.61, "eval_accuracy": 0.43}),
        ("loop_brackets", 1.0, {"loss": 1.9, "accuracy": 0.5}),
        ("mmengine", 1.0, {"loss": 3.0, "accuracy": 0.5}),
    ],
)
def test_an_evaluation_is_no_step(name: str, epoch: float | None, metrics: dict[str, float]) -> None:
    (seen,) = progress_of(name).evaluations
    assert (seen.epoch, seen.metrics) == (epoch, metrics)


def test_a_whole_run_of_a_recipe_tells_each_evaluation_and_its_weights() -> None:
    progress = progress_of("mindspore_recipe")
    assert [(seen.epoch, seen.metrics) for seen in progress.evaluations] == [
        (1, {"mIoU": 0.1893, "pixel_accuracy": 0.653}),
        (2, {"mIoU": 0.3014, "pixel_accuracy": 0.7352}),
    ]
    assert progress.weights is not None
    assert progress.weights.sha256.startswith("350c102d603bcf71")


def test_what_is_no_training_tells_nothing() -> None:
    assert progress_of("no_training") == RankProgress()
