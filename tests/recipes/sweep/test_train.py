"""The sweep's script learns, resumes exactly, and says in one line what it cannot use."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SMALL = ("--points=600", "--batch_size=50", "--hidden=16")  # 12 steps an epoch


def lines(capsys: pytest.CaptureFixture[str], start: str) -> list[str]:
    return [line for line in capsys.readouterr().out.splitlines() if line.startswith(start)]


def weights(checkpoint: Path) -> dict[str, np.ndarray]:
    with np.load(checkpoint) as file:
        return {name: file[name] for name in file.files if name.startswith(("weights/", "velocity/"))}


def test_it_learns(sweep_script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep_script.main([*SMALL, "--epochs=20"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("training: epochs: 20, steps per epoch: 12, batch per rank: 50, ranks: 1\n")
    losses = [float(loss) for loss in re.findall(r"^epoch: \d+ step: \d+, loss is (\S+)$", out, re.MULTILINE)]
    assert len(losses) == 240
    assert np.mean(losses[-12:]) < 0.5 * np.mean(losses[:12])
    (accuracy,) = re.findall(r"^Eval result: epoch 20, metrics: {'accuracy': (\S+)}$", out, re.MULTILINE)
    assert float(accuracy) > 0.8


def test_gradients_are_those_of_the_loss(sweep_script: ModuleType) -> None:
    points, arms = sweep_script.spiral(0, 30)
    weights = sweep_script.initial_weights(4, seed=3)
    _, gradients = sweep_script.loss_and_gradients(weights, points, arms)
    for name, gradient in gradients.items():
        for place in np.ndindex(gradient.shape):
            near = []
            for shift in (1e-6, -1e-6):
                moved = {key: array.copy() for key, array in weights.items()}
                moved[name][place] += shift
                near.append(sweep_script.loss_and_gradients(moved, points, arms)[0])
            assert gradient[place] == pytest.approx((near[0] - near[1]) / 2e-6, abs=1e-7)


def test_no_point_is_both_trained_on_and_evaluated(sweep_script: ModuleType) -> None:
    seen, unseen = (sweep_script.spiral(stream, 500)[0] for stream in (0, 1))
    assert not set(map(tuple, seen)) & set(map(tuple, unseen))


@pytest.mark.parametrize("every", [7, 12])
def test_a_resumed_training_ends_with_the_weights_of_one_in_a_piece(
    sweep_script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], every: int
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert sweep_script.main([*SMALL, "--epochs=3", f"--checkpoint_dir={whole}"]) == 0
    options = [*SMALL, f"--checkpoint_every={every}", f"--checkpoint_dir={parts}"]
    assert sweep_script.main([*options, "--epochs=2"]) == 0
    resume = parts / f"step_{21 if every == 7 else 12:08d}.ckpt"
    capsys.readouterr()
    assert sweep_script.main([*options, "--epochs=3", f"--resume_from={resume}"]) == 0
    assert f"resumed from: {resume} step: {21 if every == 7 else 12}" in capsys.readouterr().out
    one, other = (weights(folder / "step_00000036.ckpt") for folder in (whole, parts))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_the_seed_changes_weights_and_order_and_not_the_points(sweep_script: ModuleType) -> None:
    first, second = (sweep_script.initial_weights(4, seed)["weight1"] for seed in (1, 2))
    assert not np.array_equal(first, second)
    assert np.array_equal(sweep_script.spiral(0, 9)[0], sweep_script.spiral(0, 9)[0])


def test_a_loss_that_is_no_number_ends_training(sweep_script: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert sweep_script.main([*SMALL, "--lr=1e308"]) == 1
    assert len(lines(capsys, "In epoch: 1 step: 2, loss is NAN or INF")) == 1


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--lr=0", "--lr=0.0: expected a positive number"),
        ("--momentum=1", "--momentum=1.0: expected a number from 0, below 1"),
        ("--hidden=0", "--hidden=0: expected a number of at least 1"),
        ("--seed=-1", "--seed=-1: expected a number of at least 0"),
        ("--batch_size=601", "600 training images, but one step takes 601"),
        ("--resume_from=/nowhere", "--resume_from=/nowhere: no such file"),
        ("--rate=1", "unrecognized arguments: --rate=1"),
    ],
)
def test_an_option_that_cannot_be_used_is_one_line(
    sweep_script: ModuleType, capsys: pytest.CaptureFixture[str], option: str, told: str
) -> None:
    assert sweep_script.main([*SMALL, option]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("train.py: error: ")
    assert told in line


def test_a_checkpoint_of_another_combination_is_refused(
    sweep_script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep_script.main([*SMALL, "--epochs=1", "--lr=0.3", f"--checkpoint_dir={tmp_path}"]) == 0
    path = tmp_path / "step_00000012.ckpt"
    assert sweep_script.main([*SMALL, "--epochs=2", "--lr=0.1", f"--resume_from={path}"]) == 2
    assert f"{path}: was written with lr 0.3; this run has lr 0.1" in capsys.readouterr().err


def test_a_checkpoint_from_beyond_the_last_step_is_refused_and_the_last_itself_is_evaluated(
    sweep_script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep_script.main([*SMALL, "--epochs=2", "--checkpoint_every=12", f"--checkpoint_dir={tmp_path}"]) == 0
    evaluation = lines(capsys, "Eval result: ")
    path = tmp_path / "step_00000024.ckpt"
    assert sweep_script.main([*SMALL, "--epochs=2", f"--resume_from={path}"]) == 0
    assert lines(capsys, "Eval result: ") == evaluation
    assert sweep_script.main([*SMALL, "--epochs=1", f"--resume_from={path}"]) == 2
    said = capsys.readouterr()
    assert "Eval result" not in said.out
    assert f"{path}: is of step 24, and --epochs=1 end at step 12: raise --epochs" in said.err


@pytest.mark.parametrize(
    ("name", "found"),
    [("weights/bias1", None), ("velocity/bias1", None), ("weights/bias1", np.zeros(3)), ("weights/more", np.zeros(3))],
)
def test_a_checkpoint_with_other_arrays_is_refused(
    sweep_script: ModuleType,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    found: np.ndarray | None,
) -> None:
    assert sweep_script.main([*SMALL, "--epochs=1", f"--checkpoint_dir={tmp_path}"]) == 0
    path = tmp_path / "step_00000012.ckpt"
    with np.load(path) as file:
        arrays = {**{each: file[each] for each in file.files}, name: found}
    with path.open("wb") as file:
        np.savez(file, **{each: array for each, array in arrays.items() if array is not None})
    assert sweep_script.main([*SMALL, "--epochs=2", f"--resume_from={path}"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}: parameter {name.replace('weights/', '').replace('velocity/', 'velocity of ')}: expected " in line


@pytest.mark.parametrize("keep", [0, 100, -100])
def test_a_damaged_checkpoint_is_refused(
    sweep_script: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], keep: int
) -> None:
    assert sweep_script.main([*SMALL, "--epochs=1", f"--checkpoint_dir={tmp_path}"]) == 0
    path = tmp_path / "step_00000012.ckpt"
    path.write_bytes(path.read_bytes()[:keep])
    assert sweep_script.main([*SMALL, "--epochs=2", f"--resume_from={path}"]) == 2
    assert "cannot be read as a checkpoint of this script" in capsys.readouterr().err
