"""ResNet as the trainer asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from mindspore import nn, ops
from training.classification.data import FolderDataset
from training.classification.metrics import MOST_LIKELY, hits, summary
from training.dataset import Dataset
from training.loader import Sample, load_batches
from training.on_mindspore.evaluation import Evaluation
from training.on_mindspore.image_folder import ImageFolder
from training.on_mindspore.label_smoothing import LabelSmoothing
from training.on_mindspore.task import Task
from training.sampling import Sampling

from residual.initialisation import initialise
from residual.network import ResNet
from residual.options import Options


class ResNetTask(Task):
    """Images of a folder are read by mindspore.dataset, synthetic ones and those of CIFAR-10 by NumPy."""

    def __init__(self, options: Options, sampling: Sampling, dataset: Dataset):
        super().__init__(options, sampling)
        self.options: Options = options
        self.dataset, self.classes = dataset, len(dataset.class_names)
        self.folder = ImageFolder(dataset, sampling, options) if isinstance(dataset, FolderDataset) else None

    def build_network(self) -> nn.Cell:
        network = ResNet(**self.architecture())
        initialise(network, self.options.initialisation)
        return network

    def build_criterion(self) -> nn.Cell:
        return LabelSmoothing(self.classes, self.options.label_smoothing)

    def micro_batches(self, epoch: int, rank: int, first: int, until: int) -> Iterator[Sample]:
        if self.folder:
            return self.folder.training(epoch, rank, first, until)
        batches = self.sampling.micro_batches(epoch, rank, first, until)
        return load_batches(batches, partial(self.dataset.train_sample, epoch), self.options.workers)

    def build_evaluation(self, network: nn.Cell) -> Evaluation:
        from_numpy = partial(load_batches, sample=self.dataset.eval_sample, workers=self.options.workers)
        return Evaluation(
            _MostLikely(network, min(MOST_LIKELY, self.classes)),
            self.folder.evaluation if self.folder else from_numpy,
            self.dataset.eval_images,
            partial(hits, classes=self.classes),
            self.options.batch_size,
        )

    def metrics(self, counts: np.ndarray) -> dict[str, float]:
        return summary(counts)

    def details(self, _counts: np.ndarray) -> list[str]:
        return []

    def architecture(self) -> dict[str, Any]:
        return {**self.options.architecture(), "classes": self.classes}


class _MostLikely(nn.Cell):
    """Images to the numbers of their likeliest classes, the likeliest first."""

    def __init__(self, network: nn.Cell, places: int):
        super().__init__(auto_prefix=False)
        self.network, self.places = network, places

    def construct(self, images):
        _, likely = ops.topk(self.network(images), self.places)
        return likely
