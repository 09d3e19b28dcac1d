"""The script where TensorFlow is not: it says what is wrong, in one line, before it would be needed and when it is."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cifar_cnn.framework import load_tensorflow
from cifar_cnn.npu import npu_settings
from cifar_cnn.options import Options
from cifar_cnn.place import RANK_TABLE, Place
from cifar_cnn.source import open_source
from cifar_cnn.steps import count_steps
from training.errors import RecipeError
from training.options import parse

from launcher.specs import load_recipe

without_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is not None, reason="TensorFlow is installed")


def run(recipes: Path, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("RANK", "DEVICE", "CM_", "TF_"))}
    command = [sys.executable, str(recipes / "tf_estimator" / "train.py"), *options]
    return subprocess.run(command, env={**plain, **environ}, capture_output=True, text=True)


@without_tensorflow
def test_without_tensorflow_one_line_says_what_to_install(recipes: Path) -> None:
    done = run(recipes, DEVICE_TARGET="CPU")
    assert (done.returncode, done.stdout) == (2, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"train.py: error: TensorFlow cannot be imported by {sys.executable}")
    assert "install tensorflow==1.15.5 (Python 3.7) or tensorflow==2.6.5" in line


def test_what_is_wrong_without_tensorflow_is_found_without_it(recipes: Path) -> None:
    done = run(recipes, "--mix_compile_mode=true", "--iterations_per_loop=10", "--epochs=10")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("train.py: error: --mix_compile_mode=true with --iterations_per_loop=10: ")


@without_tensorflow
def test_only_rank_0_needs_the_checkpoint(recipes: Path) -> None:
    gone = ["--resume_from=/none/model.ckpt-48.index"]
    group = {"RANK_TABLE_FILE": "/hccl.json", "RANK_SIZE": "2", "ASCEND_DEVICE_ID": "0", "JOB_ID": "10087"}
    lines = [
        run(recipes, *gone, DEVICE_TARGET="Ascend", RANK_ID=rank, **group).stderr.splitlines()[-1]
        for rank in ("0", "1")
    ]
    assert lines[0].startswith("train.py: error: --resume_from=/none/model.ckpt-48.index: no such file")
    assert lines[1].startswith("train.py: error: TensorFlow cannot be imported")


def test_no_folder_of_the_recipes_passes_for_a_framework(recipes: Path) -> None:
    """The folders of scripts and recipes are on sys.path, where an empty folder is a package already."""
    names = {path.name for folder in (recipes, *recipes.iterdir()) if folder.is_dir() for path in folder.iterdir()}
    assert names.isdisjoint({"tensorflow", "npu_bridge", "npu_device", "torch", "torch_npu", "mindspore"})


def test_a_tensorflow_without_an_estimator_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tensorflow.py").write_text(
        "class v1:\n    __version__ = '2.16.1'\n    class estimator: pass\nclass compat:\n    pass\ncompat.v1 = v1\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    with pytest.raises(RecipeError, match=r"TensorFlow 2\.16\.1 has no Estimator .*2\.15, the last"):
        load_tensorflow()
    sys.modules.pop("tensorflow", None)


def test_the_script_is_written_for_the_python_of_tensorflow_1_15(recipes: Path) -> None:
    own = [recipes / "tf_estimator" / "train.py", *(recipes / "tf_estimator" / "cifar_cnn").glob("*.py")]
    shared = [
        recipes / "training" / f"{name}.py"
        for name in ("__init__", "console", "environment", "errors", "options", "schedule")
    ]
    for path in own + shared:
        ast.parse(path.read_text(encoding="utf-8"), str(path), feature_version=(3, 7))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"batch_size": 0}, "--batch_size=0: expected a number of at least 1"),
        ({"learning_rate": 0.0}, "--learning_rate=0.0: expected a positive number"),
        ({"weight_decay": float("nan")}, "--weight_decay=nan: expected a number of at least 0.0"),
        ({"seed": 2**31}, "--seed=2147483648: expected a number below 2**31"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(options: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError) as caught:
        Options(**options)
    assert str(caught.value).startswith(told)


def test_a_precision_mode_that_cann_does_not_know_is_refused() -> None:
    with pytest.raises(RecipeError, match="--precision_mode: invalid choice: 'fp16'"):
        parse(Options, ["--precision_mode=fp16"], "")


@pytest.mark.parametrize("ranks", [1, 8])
def test_the_recipe_is_whole_on_one_rank_and_on_eight(recipes: Path, ranks: int) -> None:
    args = load_recipe(recipes / "tensorflow_8p.yaml").args
    assert isinstance(args, Mapping)
    options = parse(Options, [f"--{name}={value}" for name, value in args.items()], "")
    assert npu_settings(options, Place(True, 0, ranks, RANK_TABLE), {}).loss_scale == "dynamic"
    assert count_steps(options, open_source(options).train.images, ranks).total == 128 // ranks
