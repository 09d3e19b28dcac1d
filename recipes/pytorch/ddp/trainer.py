"""A training run, from the first step to the evaluation of the trained network."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from training import console
from training.checkpoint_folder import CheckpointFolder
from training.console import say
from training.dataset import Dataset
from training.errors import RecipeError
from training.loader import load_batches
from training.loop import Loop, LossNotFinite
from training.sampling import Sampling
from training.schedule import Schedule

from ddp import device as devices
from ddp import group as groups
from ddp.checkpoint import State, digest
from ddp.device import Device
from ddp.environment import Place
from ddp.evaluation import Evaluation
from ddp.group import Group
from ddp.model import ResNet
from ddp.optimizer import build_optimizer
from ddp.options import Options
from ddp.step import StepResult, TrainStep


def train(options: Options, place: Place, dataset: Dataset, sampling: Sampling) -> int:
    """Train as the options say and return the exit code: 0 when trained, 1 when the loss became NaN or infinite.

    Raises RecipeError if the device, the checkpoint to resume from, or the folder for new ones, cannot be used.
    """
    device = devices.prepare(options, place)
    say(f"rank {place.rank} of {place.ranks} trains on {device.what}, torch {torch.__version__}")
    group = groups.join(place, device.backend)
    # Leaving is for ends that all ranks reach together. A rank that fails alone just dies: its peers wait for it in a
    # collective, and whoever supervises them must see a death, not a farewell.
    try:
        run = _Run(options, device, group, dataset, sampling)
    except RecipeError:
        group.leave()
        raise
    code = run.train()
    del run  # and with it DDP: see Group.leave
    group.leave()
    return code


class _Run(Loop):
    def __init__(self, options: Options, device: Device, group: Group, dataset: Dataset, sampling: Sampling):
        super().__init__(options, sampling.steps_per_epoch, group.ranks)
        self.options: Options = options
        self.group, self.dataset, self.sampling, self.scaler = group, dataset, sampling, device.scaler
        torch.manual_seed(options.seed)  # so that all ranks draw the same initial weights
        classes = len(dataset.class_names)
        self.network = ResNet(options.stage_blocks, options.width, options.stem, classes).to(device.name)
        self.schedule = Schedule(
            options.schedule,
            self.last_step,
            options.learning_rate,
            options.end_learning_rate,
            options.warmup_steps,
            options.power,
        )
        optimizer = build_optimizer(self.network, options)
        self.state = State(self.network, optimizer, self.scaler)
        self.checkpoints = None
        if options.checkpoint_dir:  # on all ranks: a folder that cannot be made stops them alike
            self.checkpoints = CheckpointFolder(options.checkpoint_dir, options.keep_checkpoints)
        if options.resume_from:
            self.step = self.state.load(options.resume_from, self._facts())
            say(console.resumed(options.resume_from, self.step))
            say(console.weights(self.weights_hash(), self.step))
        self.train_step = TrainStep(self.network, optimizer, device, group, options)
        self.evaluation = Evaluation(self.network, dataset, device, group, options.batch_size, options.workers)

    def train(self) -> int:
        """Train, and return the exit code."""
        try:
            self.to_the_end()
        except LossNotFinite as end:
            say(str(end))
            return 1
        return 0

    def steps(self, epoch: int, first: int, until: int) -> Iterator[None]:
        options = self.options
        batches = load_batches(
            self.sampling.micro_batches(epoch, self.group.rank, first, until),
            partial(self.dataset.train_sample, epoch),
            options.workers,
        )
        for step in range(first, until):
            started, rate = time.perf_counter(), self.schedule.rate(self.step)
            result = self.train_step(itertools.islice(batches, options.accumulation), rate)
            self._report(epoch, step + 1, result, rate, time.perf_counter() - started)
            yield

    def evaluate(self, epoch: int) -> None:
        say(console.evaluation(epoch, self.evaluation()))

    def save(self) -> None:
        if self.checkpoints is not None and self.group.rank == 0:
            say(console.checkpoint_saved(self.state.save(self.checkpoints, self.step, self._facts()), self.step))

    def weights_hash(self) -> str:
        return digest(self.network.state_dict())

    def _report(self, epoch: int, step: int, result: StepResult, rate: float, seconds: float) -> None:
        if result.updated and math.isfinite(result.loss):
            scale = f"loss_scale={result.next_scale:g} " if self.scaler.is_enabled() else ""
            say(
                f"epoch {epoch}/{self.options.epochs} step {step}/{self.steps_per_epoch} loss={result.loss:.6g} "
                f"lr={rate:.6g} grad_norm={result.gradient_norm:.4g} {scale}step_time={seconds * 1e3:.1f}ms "
                f"samples/s={self.sampling.images_per_step / seconds:.1f}"
            )
            return
        if result.updated or not self.scaler.is_enabled():
            raise LossNotFinite(console.not_finite(epoch, step))
        self.skip(epoch, step, result.tried_scale, result.next_scale)

    def _facts(self) -> dict[str, Any]:
        """What must not change between a checkpoint and the run that continues it."""
        return {
            **self.options.architecture(len(self.dataset.class_names)),
            "loss_scale": self.options.loss_scale,
            "seed": self.options.seed,
            "training_images": self.sampling.images,
            "images_per_step": self.sampling.images_per_step,
            "steps_per_epoch": self.steps_per_epoch,
        }
