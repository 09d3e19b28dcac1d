"""Model, step and checkpoints with a real MindSpore, in this process alone."""

import os
import subprocess
import sys

import numpy as np
import pytest

ms = pytest.importorskip("mindspore")

from deeplabv3.backbone import ResNeXt  # noqa: E402
from deeplabv3.model import DeepLabV3  # noqa: E402
from deeplabv3.options import Options  # noqa: E402
from training.checkpoint_folder import CheckpointFolder  # noqa: E402
from training.errors import RecipeError  # noqa: E402
from training.on_mindspore import scaling  # noqa: E402
from training.on_mindspore.checkpoint import load, load_network, save, weights_hash  # noqa: E402
from training.on_mindspore.optimizer import build_optimizer, is_decayed  # noqa: E402
from training.on_mindspore.pixel_loss import PixelCrossEntropy  # noqa: E402
from training.on_mindspore.step import TrainStep  # noqa: E402
from training.options import parse  # noqa: E402
from training.segmentation.data import open_dataset  # noqa: E402

pytestmark = pytest.mark.mindspore

SMALL = [
    "--depth=14",
    "--cardinality=2",
    "--width=1",
    "--stem_channels=4",
    "--aspp_channels=4",
    "--aspp_rates=2",
    "--image_size=32",
    "--batch_size=2",
    "--learning_rate=0.05",
]


@pytest.fixture(autouse=True)
def cpu(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # MindSpore leaves compilation records in the working directory
    ms.set_context(mode=ms.GRAPH_MODE)
    ms.set_device("CPU")


class Trainer:
    """The recipe's own parts, put together as a run puts them together."""

    def __init__(self, *flags):
        self.options = parse(Options, [*SMALL, *flags], None)
        self.dataset = open_dataset(self.options)
        ms.set_seed(self.options.seed)
        classes = len(self.dataset.class_names)
        self.network = DeepLabV3(self.options, classes)
        self.optimizer = build_optimizer(self.network, [0.05] * 8, self.options)
        self.scaler = scaling.build_scaler(self.options)
        self.state = [
            *self.network.get_parameters(),
            *self.optimizer.moments,
            self.optimizer.global_step,
            *scaling.state(self.scaler),
        ]
        self.facts = self.options.architecture()
        self.step = None

    def train(self, first, last):
        if self.step is None:  # as in a run, only now: it starts from the statistics that were loaded
            criterion = PixelCrossEntropy(len(self.dataset.class_names))
            self.step = TrainStep(
                self.network, criterion, self.optimizer, self.scaler, self.options.accumulation, ranks=1
            )
        accumulation, batch = self.options.accumulation, self.options.batch_size
        results = []
        for number in range(first, last):
            micro_batches = []
            for micro in range(accumulation):
                start = (number * accumulation + micro) * batch
                samples = [self.dataset.train_sample(1, index) for index in range(start, start + batch)]
                micro_batches.append(tuple(np.stack(part) for part in zip(*samples, strict=True)))
            results.append(self.step(micro_batches))
        return results

    def hash(self):
        return weights_hash(self.network)

    def save(self, folder, step):
        return save(CheckpointFolder(str(folder), keep=3), step, self.state, self.facts)


def test_the_backbone_of_the_defaults_has_the_published_number_of_parameters():
    backbone = ResNeXt((3, 4, 6, 3), cardinality=32, width=4, stem_channels=64, output_stride=16)
    published, of_its_classifier = 25_028_904, 2048 * 1000 + 1000
    assert sum(each.size for each in backbone.trainable_params()) == published - of_its_classifier


@pytest.mark.parametrize(("output_stride", "cells"), [(8, 9), (16, 5)])
def test_features_have_the_output_stride_and_scores_the_size_of_the_image(output_stride, cells):
    ms.set_context(mode=ms.PYNATIVE_MODE)  # nothing to compile for one look
    options = parse(Options, [*SMALL, f"--output_stride={output_stride}"], None)
    network = DeepLabV3(options, num_classes=3).set_train(False)
    images = ms.Tensor(np.zeros((2, 3, 65, 65), np.float32))
    assert network.backbone(images).shape == (2, 128, cells, cells)
    assert network(images).shape == (2, 3, 65, 65)


def test_weight_decay_spares_batchnorm_and_biases():
    trainer = Trainer()
    decayed = {each.name for each in trainer.network.trainable_params() if is_decayed(each)}
    spared = {each.name for each in trainer.network.trainable_params()} - decayed
    assert all(name.endswith(".weight") for name in decayed)
    assert spared
    assert all(name.endswith((".gamma", ".beta", ".bias")) for name in spared)
    before = {each.name: each.asnumpy().copy() for each in trainer.network.trainable_params()}
    trainer.optimizer(tuple(ms.ops.zeros_like(each) for each in trainer.optimizer.parameters))
    moved = {each.name for each in trainer.network.trainable_params() if (each.asnumpy() != before[each.name]).any()}
    assert moved == decayed


def test_the_loss_ignores_255_and_is_zero_where_nothing_is_labelled():
    loss = PixelCrossEntropy(3)
    scores = np.random.default_rng(1).normal(size=(1, 3, 2, 2)).astype(np.float32)
    labels = np.array([[[0, 255], [255, 2]]], np.int32)
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    expected = -np.log([probabilities[0, 0, 0, 0], probabilities[0, 2, 1, 1]]).mean()
    assert float(loss(ms.Tensor(scores), ms.Tensor(labels)).asnumpy()) == pytest.approx(expected, rel=1e-5)
    assert float(loss(ms.Tensor(scores), ms.Tensor(np.full_like(labels, 255))).asnumpy()) == 0


@pytest.mark.parametrize("flags", [[], ["--accumulation=2", "--loss_scale=dynamic", "--loss_scale_window=2"]])
def test_a_resumed_run_ends_with_the_weights_of_the_uninterrupted_one(flags, tmp_path):
    uninterrupted = Trainer(*flags)
    uninterrupted.train(0, 2)
    saved, hash_when_saved = uninterrupted.save(tmp_path / "of 'this' run", step=2), uninterrupted.hash()
    uninterrupted.train(2, 4)

    resumed = Trainer(*flags)
    assert load(str(saved), resumed.state, resumed.facts) == 2
    assert resumed.hash() == hash_when_saved
    resumed.train(2, 4)
    assert resumed.hash() == uninterrupted.hash() != hash_when_saved


def test_a_step_that_overflows_leaves_no_trace_but_a_smaller_scale():
    ms.set_context(mode=ms.PYNATIVE_MODE)
    trainer = Trainer("--loss_scale=dynamic", "--loss_scale_value=3e38")
    before = trainer.hash()
    (result,) = trainer.train(0, 1)
    assert not result.updated
    assert (result.tried_scale, result.next_scale) == (pytest.approx(3e38), pytest.approx(1.5e38))
    assert trainer.hash() == before


def test_a_checkpoint_of_another_architecture_is_refused_and_nothing_is_loaded(tmp_path):
    saved = Trainer("--width=2").save(tmp_path, step=1)
    trainer = Trainer()
    before = trainer.hash()
    with pytest.raises(RecipeError, match="was written with width 2; this run has width 1:"):
        load(str(saved), trainer.state, trainer.facts)
    assert trainer.hash() == before


def test_a_checkpoint_that_lacks_a_parameter_is_refused_and_nothing_is_loaded(tmp_path):
    trainer = Trainer()
    trainer.state = trainer.state[:-1]
    saved = trainer.save(tmp_path, step=1)
    whole = Trainer("--seed=2")
    before = whole.hash()
    with pytest.raises(RecipeError, match=r"parameter global_step: expected .*, found none"):
        load(str(saved), whole.state, whole.facts)
    assert whole.hash() == before


@pytest.mark.parametrize("damage", ["cut short", "one bit", "text"])
def test_a_damaged_checkpoint_is_refused_in_one_line(damage, tmp_path):
    trainer = Trainer()
    saved = trainer.save(tmp_path, step=1)
    content = bytearray(saved.read_bytes())
    if damage == "one bit":
        content[len(content) // 2] ^= 1
    saved.unlink()
    saved.write_bytes({"cut short": content[: len(content) // 3], "one bit": content, "text": b"none"}[damage])
    with pytest.raises(RecipeError, match="cannot be read as a checkpoint of this script") as refusal:
        load(str(saved), trainer.state, trainer.facts)
    assert "\n" not in str(refusal.value)


def test_a_writer_killed_before_the_rename_leaves_no_checkpoint_and_the_next_one_cleans_up(tmp_path):
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, signal, sys; from pathlib import Path\n"
            "from mindspore import Parameter, Tensor\n"
            "from training.checkpoint_folder import CheckpointFolder\n"
            "from training.on_mindspore.checkpoint import save\n"
            "Path.rename = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
            "save(CheckpointFolder(sys.argv[1], 3), 7, [Parameter(Tensor([1.0]), name='weight')], {})\n",
            str(tmp_path),
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        timeout=120,
    )
    assert killed.returncode == -9
    assert list(tmp_path.iterdir())
    assert not list(tmp_path.glob("*.ckpt"))
    Trainer().save(tmp_path, step=8)
    assert [path.name for path in tmp_path.iterdir() if path.name != "rank_0"] == ["step_00000008.ckpt"]


def test_an_evaluation_needs_only_the_network_of_a_checkpoint(tmp_path):
    trained = Trainer()
    trained.facts = {**trained.facts, "steps_per_epoch": 3}
    saved = trained.save(tmp_path, step=4)
    network = Trainer("--seed=2", "--loss_scale=dynamic").network
    assert load_network(str(saved), network, trained.options.architecture()) == (2, 4)
    assert weights_hash(network) == trained.hash()
    other = Trainer("--width=2")
    with pytest.raises(RecipeError, match="was written with width 1; this run has width 2:"):
        load_network(str(saved), other.network, other.facts)
