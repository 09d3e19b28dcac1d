"""A training run, from the first step to the evaluation of the trained network."""

from __future__ import annotations

import itertools
import time
from functools import partial

import mindspore as ms

from deeplabv3 import checkpoint, console, group, scaling
from deeplabv3.console import say
from deeplabv3.data import Dataset
from deeplabv3.environment import Environment
from deeplabv3.errors import RecipeError
from deeplabv3.evaluation import Evaluation
from deeplabv3.group import Group
from deeplabv3.loader import load_batches
from deeplabv3.loss import PixelCrossEntropy
from deeplabv3.model import DeepLabV3
from deeplabv3.optimizer import build_optimizer
from deeplabv3.options import Options
from deeplabv3.sampling import Sampling
from deeplabv3.schedule import Schedule
from deeplabv3.step import StepResult, TrainStep


class LossNotFinite(Exception):
    """The loss became NaN or infinite; the text is the line MindSpore's LossMonitor prints."""


def train(options: Options, environment: Environment, dataset: Dataset, sampling: Sampling) -> int:
    """Train as the options say and return the exit code: 0 when trained, 1 when the loss became NaN or infinite.

    Raises RecipeError if the checkpoint to resume from, or the folder for new ones, cannot be used.
    """
    ms.set_context(mode=ms.GRAPH_MODE if options.mode == "graph" else ms.PYNATIVE_MODE)
    _set_device(environment)
    if options.deterministic:
        ms.set_deterministic(True)
    members = group.join(environment)
    # Leaving is for ends that all ranks reach together. A rank that fails alone just dies: its peers wait for it in a
    # collective, and whoever supervises them must see a death, not a farewell.
    try:
        run = _Run(options, members, dataset, sampling)
    except RecipeError:
        members.leave()
        raise
    try:
        run.to_the_end()
    except LossNotFinite as end:
        say(str(end))
        members.leave()
        return 1
    members.leave()
    return 0


def _set_device(environment: Environment) -> None:
    target = environment.device_target
    try:
        ms.set_device(target, None if target == "CPU" else environment.device_id)
    except RuntimeError as error:
        if "Unsupported device target" not in str(error):  # a device that fails has more to say than one line
            raise
        raise RecipeError(
            f"DEVICE_TARGET={target}: not available to this MindSpore (an NPU needs CANN's libraries in "
            "LD_LIBRARY_PATH, see its set_env.sh); to train without one set DEVICE_TARGET=CPU"
        ) from error


class _Run:
    def __init__(self, options: Options, members: Group, dataset: Dataset, sampling: Sampling):
        self.options, self.group, self.dataset, self.sampling = options, members, dataset, sampling
        self.step = 0  # of the whole run, over epochs
        self.last_step = options.epochs * sampling.steps_per_epoch
        self.skipped = 0
        ms.set_seed(options.seed)  # so that all ranks draw the same initial weights
        self.network = DeepLabV3(options, len(dataset.class_names))
        if options.amp_level != "O0":
            self.network = ms.amp.auto_mixed_precision(self.network, options.amp_level)
        schedule = Schedule(
            options.schedule,
            self.last_step,
            options.learning_rate,
            options.end_learning_rate,
            options.warmup_steps,
            options.power,
        )
        optimizer = build_optimizer(self.network, schedule.rates(), options)
        self.scaler = scaling.build_scaler(options)
        self.state = [
            *self.network.get_parameters(),
            *optimizer.moments,
            optimizer.global_step,
            *scaling.state(self.scaler),
        ]
        self.checkpoints = None
        if options.checkpoint_dir:  # on all ranks: a folder that cannot be made stops them alike
            self.checkpoints = checkpoint.Checkpoints(options.checkpoint_dir, options.keep_checkpoints)
        if options.resume_from:
            self._resume()
        criterion = PixelCrossEntropy(len(dataset.class_names))
        self.train_step = TrainStep(
            self.network, criterion, optimizer, self.scaler, options.accumulation, members.ranks
        )
        self.evaluation = Evaluation(self.network, dataset, members, options.batch_size, options.workers)

    def to_the_end(self) -> None:
        """Train from the current step to the last, or to `--stop_at_step`."""
        options, spe = self.options, self.sampling.steps_per_epoch
        say(console.training(options.epochs, spe, options.batch_size, self.group.ranks))
        last_step = min(self.last_step, options.stop_at_step or self.last_step)
        while self.step < last_step:
            epoch = self.step // spe + 1
            self._train_epoch(epoch, min(epoch * spe, last_step))
            if self.step == epoch * spe < self.last_step and options.eval_every and epoch % options.eval_every == 0:
                self._evaluate(epoch)
        if self.step == self.last_step:
            self._evaluate(options.epochs)
        say(console.weights(checkpoint.weights_hash(self.network), self.step))

    def _train_epoch(self, epoch: int, until: int) -> None:
        """Train from the current step to step `until`, both of this epoch (numbered from 1)."""
        options, spe = self.options, self.sampling.steps_per_epoch
        started, first = time.perf_counter(), self.step
        batches = load_batches(
            self.sampling.micro_batches(epoch, self.group.rank, first % spe)[: (until - first) * options.accumulation],
            partial(self.dataset.train_sample, epoch),
            options.workers,
        )
        while self.step < until:
            result = self.train_step(itertools.islice(batches, options.accumulation))
            self.step += 1
            self._report(epoch, self.step - (epoch - 1) * spe, result)
            due = options.checkpoint_every and self.step % options.checkpoint_every == 0
            if due or self.step in (self.last_step, options.stop_at_step):
                self._save()
        say(console.epoch_time(time.perf_counter() - started, self.step - first))

    def _report(self, epoch: int, step: int, result: StepResult) -> None:
        if result.updated:
            say(console.loss(epoch, step, result.loss))
            return
        # A scale of 1 is no scale: what overflows without one is not finite to begin with.
        if not scaling.is_dynamic(self.scaler) or result.loss_scale == 1.0:
            raise LossNotFinite(console.not_finite(epoch, step))
        self.skipped += 1
        say(console.skipped(epoch, step, result.loss_scale, self.skipped))

    def _evaluate(self, epoch: int) -> None:
        confusion = self.evaluation()
        say(console.evaluation(epoch, confusion))
        if self.group.rank == 0:
            for line in console.iou_by_class(confusion, self.dataset.class_names):
                say(line)

    def _facts(self) -> dict:
        """What must not change between a checkpoint and the run that continues it."""
        return {
            **self.options.architecture(),
            "classes": len(self.dataset.class_names),
            "seed": self.options.seed,
            "training_images": self.sampling.images,
            "images_per_step": self.sampling.images_per_step,
        }

    def _save(self) -> None:
        if self.checkpoints is not None and self.group.rank == 0:
            path = self.checkpoints.save(self.step, self.state, self._facts())
            say(console.checkpoint_saved(path, self.step))

    def _resume(self) -> None:
        self.step = checkpoint.load(self.options.resume_from, self.state, self._facts())
        say(console.resumed(self.options.resume_from, self.step))
        say(console.weights(checkpoint.weights_hash(self.network), self.step))
