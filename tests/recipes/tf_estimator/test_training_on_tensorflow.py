"""The script with a real TensorFlow on the CPU: it learns, and it resumes exactly."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    find_spec("tensorflow") is None, reason="needs TensorFlow up to 2.15, the last with an Estimator"
)

SMALL = ["--train_images=512", "--eval_images=64", "--blocks=1", "--width=8", "--batch_size=32", "--epochs=1"]


def train(recipes: Path, folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    script = str(recipes / "tf_estimator" / "train.py")
    steps = ["--log_every=1", "--checkpoint_every=8", "--learning_rate=0.05", f"--checkpoint_dir={folder}"]
    environ = {**os.environ, "DEVICE_TARGET": "CPU", "RANK_SIZE": "1"}
    return subprocess.run(
        [sys.executable, script, *SMALL, *steps, *options], env=environ, capture_output=True, text=True
    )


def weights(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("weights sha256: ")]
    return line


def test_the_loss_falls_and_a_resumed_training_ends_with_the_same_weights(recipes: Path, tmp_path: Path) -> None:
    whole = train(recipes, tmp_path / "whole")
    losses = [float(loss) for loss in re.findall(r"loss = ([\d.]+), step = \d+", whole.stderr)]
    assert len(losses) == 16
    assert sum(losses[-4:]) < sum(losses[:4])
    checkpoint = tmp_path / "whole" / "model.ckpt-8.index"
    resumed = train(recipes, tmp_path / "resumed", f"--resume_from={checkpoint}")
    assert f"resumed from: {checkpoint} step: 8" in resumed.stdout
    assert weights(resumed) == weights(whole)

    other = train(recipes, tmp_path / "other", f"--resume_from={checkpoint}", "--width=4")
    assert other.returncode == 2
    assert "resume with the --blocks and --width it was written with" in other.stderr.splitlines()[-1]
