"""ResNet at two ranks, with a real MindSpore: it learns, it resumes exactly, and its checkpoints evaluate as it did."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from launcher.errors import ExitCode
from tests.end_to_end import latest, npu_launch, status

pytest.importorskip("mindspore", reason="needs the extra npu-launch[mindspore]")
pytestmark = [pytest.mark.mindspore, pytest.mark.usefixtures("home", "shared_ports"), pytest.mark.timeout(600)]

RECIPES = Path(__file__).parent.parent / "recipes"
STEPS_OF_AN_EPOCH = 6
SMALL = [
    *("--set", "ranks=2"),
    *("--set", f"args.train_images={STEPS_OF_AN_EPOCH * 2 * 16}"),
    *("--set", "args.eval_images=50"),
    *("--set", "args.warmup_steps=1"),
    *("--set", "args.learning_rate=0.05"),
    *("--set", "args.checkpoint_every=4"),
]


def done(*arguments: str | Path) -> dict[str, Any]:
    """What `status` says of a run that succeeded."""
    outcome = npu_launch(*arguments, timeout=300)
    assert outcome.code == ExitCode.OK, outcome.err + outcome.out
    return status()


def test_a_checkpoint_within_an_epoch_leads_to_the_same_weights_and_the_last_one_to_the_same_metrics() -> None:
    trained = done(RECIPES / "resnet50_8p.yaml", *SMALL)
    checkpoints = latest().path / "checkpoints"
    rank = trained["ranks"][0]
    assert rank["last_loss"] < rank["first_loss"]
    (weights,) = trained["weights"]["groups"]
    assert weights["ranks"] == [0, 1]
    evaluations = rank["evaluations"]
    assert [each["epoch"] for each in evaluations] == [1, 2]

    within = checkpoints / f"step_{STEPS_OF_AN_EPOCH + 2:08d}.ckpt"
    in_parts = ("--set", "args.all_reduce_splits=20")
    resumed = done(RECIPES / "resnet50_8p.yaml", *SMALL, *in_parts, "--set", f"args.resume_from={within}")
    assert resumed["weights"]["groups"] == [weights]

    alone = ["--set", "ranks=1", "--set", "args.eval_images=50"]
    last = checkpoints / f"step_{2 * STEPS_OF_AN_EPOCH:08d}.ckpt"
    evaluated = done(RECIPES / "resnet50_eval.yaml", *alone, "--set", f"args.evaluate={last}")
    assert evaluated["ranks"][0]["evaluations"] == [evaluations[-1]]
