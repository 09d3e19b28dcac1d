"""An evaluation of its own, from a checkpoint."""

from __future__ import annotations

import torch
from training import console
from training.console import say
from training.dataset import Dataset
from training.errors import RecipeError

from ddp import checkpoint, group
from ddp import device as devices
from ddp.environment import Place
from ddp.evaluation import Evaluation
from ddp.model import ResNet
from ddp.options import Options


def evaluate(options: Options, place: Place, dataset: Dataset) -> int:
    """Say how well the network of a checkpoint does, and return the exit code 0.

    Raises RecipeError if the device cannot be used, or the checkpoint cannot be read or is of another network.
    """
    device = devices.prepare(options, place)
    say(f"rank {place.rank} of {place.ranks} evaluates on {device.what}, torch {torch.__version__}")
    members = group.join(place, device.backend)
    classes = len(dataset.class_names)
    network = ResNet(options.stage_blocks, options.width, options.stem, classes).to(device.name)
    try:
        epoch, step = checkpoint.load_network(options.evaluate, network, options.architecture(classes))
    except RecipeError:
        members.leave()
        raise
    say(console.resumed(options.evaluate, step))
    say(console.weights(checkpoint.digest(network.state_dict()), step))
    evaluation = Evaluation(network, dataset, device, members, options.batch_size, options.workers)
    say(console.evaluation(epoch, evaluation()))
    members.leave()
    return 0
