"""The recipe through npu-launch with a real MindSpore: trained, resumed, and evaluated from a checkpoint."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from tests.end_to_end import latest, npu_launch, status

pytest.importorskip("mindspore", reason="needs the extra npu-launch[mindspore]")
pytestmark = [pytest.mark.mindspore, pytest.mark.usefixtures("home", "shared_ports"), pytest.mark.timeout(600)]

SMALLER = (
    "image_size=48",
    "width=4",
    "fc_channels=32",
    "train_images=64",  # 16 steps
    "eval_images=8",
    "epochs=1",
    "checkpoint_every=8",
)


def launched(recipe: Path, *args: str) -> tuple[Path, str]:
    """Run the recipe to the end at a smaller size than its own: the folder of the run, and what its rank said."""
    sets = [word for each in (*SMALLER, *args) for word in ("--set", f"args.{each}")]
    done = npu_launch("run", recipe, *sets, timeout=280)
    assert done.code == ExitCode.OK, done.err + done.out
    return latest().path, latest().rank_log(1, 0).read_text()


def only(pattern: str, log: str) -> str:
    (found,) = re.findall(pattern, log, re.MULTILINE)
    return str(found)


def test_a_run_learns_and_is_resumed_exactly_and_evaluated_from_its_checkpoint(recipes: Path) -> None:
    recipe = recipes / "dpn_1p.yaml"
    run, said = launched(recipe)
    losses = [float(loss) for loss in re.findall(r"loss is (\S+)", said)]
    assert len(losses) == 16
    assert sum(losses[-4:]) < 0.8 * sum(losses[:4])
    assert status()["progress"]["steps_done"] == 16

    _, resumed = launched(recipe, f"resume_from={run}/checkpoints/step_00000008.ckpt")
    assert [float(loss) for loss in re.findall(r"loss is (\S+)", resumed)] == losses[8:]
    weights = only(r"weights sha256: (\w+) step: 16", said)
    assert only(r"weights sha256: (\w+) step: 16", resumed) == weights

    _, evaluated = launched(recipe, f"evaluate={run}/checkpoints/step_00000016.ckpt")
    assert only(r"weights sha256: (\w+) step: 16", evaluated) == weights
    assert "loss is" not in evaluated
    assert only(r"Eval result: .*", evaluated) == only(r"Eval result: .*", said)
