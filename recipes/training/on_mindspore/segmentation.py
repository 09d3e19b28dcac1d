"""Training and evaluating a network that gives each pixel its class."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from mindspore import nn

from training.dataset import Dataset
from training.loader import Sample, load_batches
from training.on_mindspore.evaluation import Evaluation
from training.on_mindspore.pixel_loss import PixelCrossEntropy
from training.on_mindspore.task import Task
from training.sampling import Sampling
from training.segmentation.metrics import confusion_matrix, iou_by_class, summary
from training.segmentation.options import SegmentationOptions


class SegmentationTask(Task):
    """Which network it is, subclasses say: it turns images (batch, 3, H, W) into scores (batch, classes, H, W)."""

    def __init__(self, options: SegmentationOptions, sampling: Sampling, dataset: Dataset):
        super().__init__(options, sampling)
        self.dataset, self.classes = dataset, len(dataset.class_names)

    @abstractmethod
    def model(self) -> dict[str, Any]:
        """What decides the shape of the network, but for the classes."""

    def architecture(self) -> dict[str, Any]:
        return {**self.model(), "classes": self.classes}

    def build_criterion(self) -> nn.Cell:
        return PixelCrossEntropy(self.classes)

    def micro_batches(self, epoch: int, rank: int, first: int, until: int) -> Iterator[Sample]:
        batches = self.sampling.micro_batches(epoch, rank, first, until)
        return load_batches(batches, partial(self.dataset.train_sample, epoch), self.options.workers)

    def build_evaluation(self, network: nn.Cell) -> Evaluation:
        dataset, options = self.dataset, self.options
        return Evaluation(
            _MostLikely(network),
            partial(load_batches, sample=dataset.eval_sample, workers=options.workers),
            dataset.eval_images,
            partial(confusion_matrix, num_classes=self.classes),
            options.batch_size,
        )

    def metrics(self, counts: np.ndarray) -> dict[str, float]:
        return summary(counts)

    def details(self, counts: np.ndarray) -> list[str]:
        return iou_by_class(counts, self.dataset.class_names)


class _MostLikely(nn.Cell):
    """Images to the class of each pixel."""

    def __init__(self, network: nn.Cell):
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images):
        return self.network(images).argmax(1)
