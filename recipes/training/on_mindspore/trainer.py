"""A training run, from the first step to the evaluation of the trained network."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from training import console
from training.checkpoint_folder import CheckpointFolder
from training.console import say
from training.environment import Environment
from training.errors import RecipeError
from training.loop import Loop, LossNotFinite
from training.on_mindspore import checkpoint, device, group, scaling
from training.on_mindspore.evaluator import say_evaluation
from training.on_mindspore.group import Group
from training.on_mindspore.optimizer import build_optimizer
from training.on_mindspore.step import StepResult, TrainStep
from training.on_mindspore.task import Task
from training.schedule import Schedule


def train(task: Task, environment: Environment) -> int:
    """Train as the task's options say and return the exit code: 0 when trained, 1 when the loss became NaN or infinite.

    Raises RecipeError if the checkpoint to resume from, or the folder for new ones, cannot be used.
    """
    device.prepare(task.options, environment)
    members = group.join(environment)
    # Leaving is for ends that all ranks reach together. A rank that fails alone just dies: its peers wait for it in a
    # collective, and whoever supervises them must see a death, not a farewell.
    try:
        run = _Run(task, members)
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


class _Run(Loop):
    def __init__(self, task: Task, members: Group):
        super().__init__(task.options, task.sampling.steps_per_epoch, members.ranks)
        self.task, self.group = task, members
        options = self.options
        self.network = task.network()
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
            self.checkpoints = CheckpointFolder(options.checkpoint_dir, options.keep_checkpoints)
        if options.resume_from:
            self._resume()
        self.evaluation = task.build_evaluation(self.network)
        self.train_step = TrainStep(
            self.network, task.build_criterion(), optimizer, self.scaler, options.accumulation, members.ranks
        )

    def steps(self, epoch: int, first: int, until: int) -> Iterator[None]:
        batches = iter(self.task.micro_batches(epoch, self.group.rank, first, until))
        for step in range(first, until):
            self._report(epoch, step + 1, self.train_step(itertools.islice(batches, self.options.accumulation)))
            yield

    def evaluate(self, epoch: int) -> None:
        say_evaluation(self.task, self.evaluation(self.group), self.group, epoch)

    def save(self) -> None:
        if self.checkpoints is not None and self.group.rank == 0:
            path = checkpoint.save(self.checkpoints, self.step, self.state, self.task.facts())
            say(console.checkpoint_saved(path, self.step))

    def weights_hash(self) -> str:
        return checkpoint.weights_hash(self.network)

    def _report(self, epoch: int, step: int, result: StepResult) -> None:
        if result.updated:
            say(console.loss(epoch, step, result.loss))
            return
        if not scaling.is_dynamic(self.scaler):  # and so will not change
            raise LossNotFinite(console.not_finite(epoch, step))
        self.skip(epoch, step, result.tried_scale, result.next_scale)

    def _resume(self) -> None:
        self.step = checkpoint.load(self.options.resume_from, self.state, self.task.facts())
        say(console.resumed(self.options.resume_from, self.step))
        say(console.weights(self.weights_hash(), self.step))
