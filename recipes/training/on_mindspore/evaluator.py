"""An evaluation of its own, from a checkpoint."""

from __future__ import annotations

import numpy as np

from training import console
from training.console import say
from training.environment import Environment
from training.errors import RecipeError
from training.on_mindspore import checkpoint, device, group
from training.on_mindspore.group import Group
from training.on_mindspore.task import Task


def evaluate(task: Task, environment: Environment, path: str) -> int:
    """Say how well the network of a checkpoint does, and return the exit code 0.

    Raises RecipeError if the checkpoint cannot be read or is of another network.
    """
    device.prepare(task.options, environment)
    members = group.join(environment)
    try:
        network = task.network()
        epoch, step = checkpoint.load_network(path, network, task.architecture())
    except RecipeError:
        members.leave()
        raise
    say(console.resumed(path, step))
    say(console.weights(checkpoint.weights_hash(network), step))
    say_evaluation(task, task.build_evaluation(network)(members), members, epoch)
    members.leave()
    return 0


def say_evaluation(task: Task, counts: np.ndarray, members: Group, epoch: int) -> None:
    """Say what an evaluation after an epoch counted."""
    say(console.evaluation(epoch, task.metrics(counts)))
    if members.rank == 0:
        for line in task.details(counts):
            say(line)
