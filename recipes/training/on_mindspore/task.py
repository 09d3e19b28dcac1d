"""What a script trains, as the trainer asks for it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

import mindspore as ms
import numpy as np
from mindspore import nn

from training.loader import Sample
from training.on_mindspore.evaluation import Evaluation
from training.options import MindSporeOptions
from training.sampling import Sampling


class Task(ABC):
    """A network, its loss and its images. The network is asked for once, after the seed is set."""

    def __init__(self, options: MindSporeOptions, sampling: Sampling):
        self.options, self.sampling = options, sampling

    @abstractmethod
    def build_network(self) -> nn.Cell:
        """The network in float32, with its initial weights."""

    @abstractmethod
    def build_criterion(self) -> nn.Cell:
        """What turns the network's scores and the classes into the loss."""

    @abstractmethod
    def micro_batches(self, epoch: int, rank: int, first: int, until: int) -> Iterable[Sample]:
        """The micro-batches of `rank` in steps `first` to `until` (not included) of the epoch, numbered from 0."""

    @abstractmethod
    def build_evaluation(self, network: nn.Cell) -> Evaluation:
        """What counts how well the network does on unseen images."""

    @abstractmethod
    def metrics(self, counts: np.ndarray) -> dict[str, float]:
        """The figures that the counts of an evaluation come to, by name."""

    @abstractmethod
    def details(self, counts: np.ndarray) -> list[str]:
        """Lines that say more of an evaluation than its metrics; rank 0 prints them."""

    @abstractmethod
    def architecture(self) -> dict[str, Any]:
        """What decides the meaning of a weight; a checkpoint of another architecture is refused."""

    def facts(self) -> dict[str, Any]:
        """What must not change between a checkpoint and the run that continues it."""
        return {
            **self.architecture(),
            "seed": self.options.seed,
            "training_images": self.sampling.images,
            "images_per_step": self.sampling.images_per_step,
            "steps_per_epoch": self.sampling.steps_per_epoch,
        }

    def network(self) -> nn.Cell:
        """The network as it is trained: with equal weights on all ranks, in the precision of `--amp_level`."""
        ms.set_seed(self.options.seed)
        network = self.build_network()
        if self.options.amp_level != "O0":
            network = ms.amp.auto_mixed_precision(network, self.options.amp_level)
        return network
