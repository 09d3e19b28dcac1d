"""The recipe at two ranks, with a real PyTorch: it trains, it resumes exactly, and torchrun does the same."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from tests.end_to_end import npu_launch, status, weights

pytestmark = [pytest.mark.usefixtures("home", "shared_ports"), pytest.mark.timeout(600)]

RECIPE = Path(__file__).parents[3] / "recipes" / "pytorch_ddp_8p.yaml"
SMALL: dict[str, object] = {
    "train_images": 384,
    "eval_images": 33,  # a rank has one more than the other
    "batch_size": 8,
    "accumulation": 2,  # 12 steps of 2 x 8 images on each of 2 ranks
    "epochs": 1,
    "warmup_steps": 1,
    "checkpoint_every": 4,
    "amp": "bfloat16",
    "loss_scale": "dynamic",
    "loss_scale_window": 3,
}

# The recipe's script, but rank 1 is killed when it comes to its sixth step for the first time.
MORTAL = """
import os, signal, sys

sys.path.insert(0, {recipe!r})
import train
from ddp.step import TrainStep

steps, step = 0, TrainStep.__call__


def one_step(*arguments):
    global steps
    steps += 1
    if steps == 6 and os.environ["RANK"] == "1" and os.environ["TORCHELASTIC_RESTART_COUNT"] == "0":
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*arguments)


TrainStep.__call__ = one_step
sys.exit(train.main(sys.argv[1:]))
"""


def settings(python: str, **more: object) -> list[str]:
    args = [f"args.{name}={value}" for name, value in {**SMALL, **more}.items()]
    return [part for value in ("ranks=2", f"python={python}", *args) for part in ("--set", value)]


def test_two_ranks_train_to_the_same_weights_in_one_go_or_in_parts_after_a_fault_or_under_torchrun(
    torch_python: str, tmp_path: Path
) -> None:
    done = npu_launch(RECIPE, *settings(torch_python), timeout=200)
    assert done.code == ExitCode.OK, done.err + done.out
    in_one_go = status()
    assert in_one_go["progress"]["steps_done"] == 12
    for rank in in_one_go["ranks"]:
        assert rank["last_loss"] < rank["first_loss"]
        assert {"learning_rate", "throughput", "step_seconds", "loss_scale", "grad_norm"} < set(rank["metrics"])
        (evaluation,) = rank["evaluations"]
        assert evaluation["metrics"]["images"] == 33
        assert evaluation["metrics"]["top1"] <= evaluation["metrics"]["top5"] <= 1

    mortal = tmp_path / "mortal.py"
    mortal.write_text(MORTAL.format(recipe=str(RECIPE.parent / "pytorch")))
    to_nine = settings(torch_python, stop_at_step=9)
    done = npu_launch(RECIPE, *to_nine, "--set", f"script={mortal}", timeout=200)
    assert done.code == ExitCode.OK, done.err + done.out
    part = weights(status())
    done = npu_launch("rerun", "--set", "args.stop_at_step=null", timeout=200)
    assert done.code == ExitCode.OK, done.err + done.out
    in_parts = status()
    assert [attempt["first_failure"] for attempt in in_parts["attempts"]] == [1, None, None]
    resumed = [attempt["resume_from"] for attempt in in_parts["attempts"]]
    assert resumed[1].endswith("00000004.ckpt")
    assert resumed[2].endswith("00000009.ckpt")
    assert part != weights(in_parts) == weights(in_one_go)

    assert under_torchrun(torch_python, tmp_path) == {weights(in_one_go)}


def under_torchrun(python: str, folder: Path) -> set[str]:
    """What digests the ranks have in the end, without npu-launch."""
    torchrun = (python, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    script = RECIPE.parent / "pytorch" / "train.py"
    reduced = {"image_size": 32, "depth": 10, "width": 8, "stem": "3x3", "workers": 1, **SMALL}
    done = subprocess.run(
        [*torchrun, script, *(f"--{name}={value}" for name, value in reduced.items())],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", "DEVICE_TARGET": "CPU"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    digests = re.findall(r"^weights sha256: (\w+) step: 12$", done.stdout, re.MULTILINE)
    assert len(digests) == 2, done.stdout
    return set(digests)
