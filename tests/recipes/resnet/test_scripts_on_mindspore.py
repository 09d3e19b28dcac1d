"""The recipe's scripts from data on disk to an exported network: one rank, in this process."""

import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from residual.options import Options
from training import script

pytest.importorskip("mindspore")

pytestmark = pytest.mark.mindspore

SMALL = ["--depth=10", "--width=2", "--stem=3x3", "--image_size=32", "--batch_size=4", "--mode=pynative"]
STEPS_OF_AN_EPOCH = 4

Run = Callable[..., list[str]]


@pytest.fixture
def train(recipes, monkeypatch, tmp_path, capfd) -> Run:
    """Runs train.py in this process; the lines it printed."""
    prepare = runpy.run_path(str(recipes / "resnet" / "train.py"))["prepare"]
    monkeypatch.setenv("DEVICE_TARGET", "CPU")
    monkeypatch.chdir(tmp_path)

    def run(*flags: str) -> list[str]:
        code = script.run(Options, prepare, [*SMALL, *flags], None)
        out, err = capfd.readouterr()
        assert code == 0, err
        return out.splitlines()

    return run


def image_folder(root: Path) -> None:
    for split, images in (("train", 4 * STEPS_OF_AN_EPOCH), ("val", 6)):
        for number in range(images):
            folder = root / split / f"class {number % 3}"
            folder.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40 + number, 50), (80 * (number % 3), 10 * number, 99)).save(folder / f"{number}.png")


def cifar10(root: Path) -> None:
    root.mkdir()
    rng = np.random.default_rng(1)
    for name in (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"):
        records = rng.integers(256, size=(4, 1 + 3 * 32 * 32), dtype=np.uint8)
        records[:, 0] %= 10
        records.tofile(root / name)


@pytest.mark.parametrize(("data", "wanted"), [(image_folder, 0), (cifar10, 4 * STEPS_OF_AN_EPOCH)])
def test_data_on_disk_is_trained_on_resumed_within_an_epoch_and_evaluated(data, wanted, train, tmp_path):
    data(tmp_path / "data of 'mine'")
    flags = [f"--dataset={tmp_path / 'data of '}'mine'", f"--train_images={wanted}", "--epochs=1"]
    trained = train(*flags, f"--checkpoint_dir={tmp_path / 'a'}", "--checkpoint_every=3", "--workers=2")
    resumed = train(*flags, f"--resume_from={tmp_path / 'a' / 'step_00000003.ckpt'}", "--workers=1")
    assert resumed[-1] == trained[-1]
    assert resumed[-1].startswith("weights sha256: ")
    evaluated = train(*flags, f"--evaluate={tmp_path / 'a' / 'step_00000004.ckpt'}")
    assert evaluated[-1] == trained[-2]
    assert evaluated[-1].startswith("Eval result: epoch 1, metrics: {'top1': ")


def test_a_trained_network_is_exported(train, tmp_path, recipes, capfd):
    train("--train_images=8", "--eval_images=4", "--epochs=1", f"--checkpoint_dir={tmp_path}")
    export = runpy.run_path(str(recipes / "resnet" / "export.py"))["main"]
    output = tmp_path / "of 'this' run.mindir"
    saved = tmp_path / "step_00000002.ckpt"
    assert export([f"--checkpoint={saved}", f"--output={output}", "--image_size=32", "--batch_size=2"]) == 0
    assert capfd.readouterr().out.startswith(f"exported: {output}, scores differ from the network's by ")
    assert output.is_file()
