"""A training run as steps, epochs, evaluations and checkpoints, whatever framework does them."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator

from training import console
from training.console import say
from training.options import TrainingOptions


class LossNotFinite(Exception):
    """The loss became NaN or infinite; the text is the line MindSpore's LossMonitor prints."""


class Loop(ABC):
    """From the current step to the last, or to `--stop_at_step`.

    A subclass says how a step is done, and sets `step` when it resumes from a checkpoint. Epochs are numbered from 1.
    """

    def __init__(self, options: TrainingOptions, steps_per_epoch: int, ranks: int):
        self.options, self.steps_per_epoch, self.ranks = options, steps_per_epoch, ranks
        self.step = 0  # of the whole run, over epochs
        self.skipped = 0  # steps, since this process has started
        self.last_step = options.epochs * steps_per_epoch

    @abstractmethod
    def steps(self, epoch: int, first: int, until: int) -> Iterator[None]:
        """Do steps `first` to `until` (not included) of the epoch, numbered from 0, and yield after each."""

    @abstractmethod
    def evaluate(self, epoch: int) -> None:
        """Say how well the network does after an epoch."""

    @abstractmethod
    def save(self) -> None:
        """Write a checkpoint of `step`, if one is wanted."""

    @abstractmethod
    def weights_hash(self) -> str:
        """SHA-256 of the network's weights."""

    def to_the_end(self) -> None:
        """Train. Raises LossNotFinite when the loss is no number any more."""
        options, spe = self.options, self.steps_per_epoch
        say(console.training(options.epochs, spe, options.batch_size, self.ranks))
        last_step = min(self.last_step, options.stop_at_step or self.last_step)
        while self.step < last_step:
            epoch = self.step // spe + 1
            self._train_epoch(epoch, min(epoch * spe, last_step))
            if self.step == epoch * spe < self.last_step and options.eval_every and epoch % options.eval_every == 0:
                self.evaluate(epoch)
        if self.step == self.last_step:
            self.evaluate(options.epochs)
        say(console.weights(self.weights_hash(), self.step))

    def skip(self, epoch: int, step: int, tried: float, next_scale: float) -> None:
        """Say that a step overflowed with one loss scale, and which the next one has.

        Raises LossNotFinite if the scale that was tried was none: what overflows without one is not finite to begin
        with.
        """
        if tried <= 1.0:
            raise LossNotFinite(console.not_finite(epoch, step))
        self.skipped += 1
        say(console.skipped(epoch, step, next_scale, self.skipped))

    def _train_epoch(self, epoch: int, until: int) -> None:
        before = (epoch - 1) * self.steps_per_epoch
        started, first = time.perf_counter(), self.step
        for _ in self.steps(epoch, first - before, until - before):
            self.step += 1
            due = self.options.checkpoint_every and self.step % self.options.checkpoint_every == 0
            if due or self.step in (self.last_step, self.options.stop_at_step):
                self.save()
        say(console.epoch_time(time.perf_counter() - started, self.step - first))
