"""Evaluation on unseen images, shared among the ranks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from mindspore import Tensor, nn

from training.loader import Sample
from training.on_mindspore.group import Group
from training.sampling import evaluation_share

NOT_AN_IMAGE = -1
"""The class of what only fills up a batch; no count takes it."""


Load = Callable[[Sequence[range]], Iterator[Sample]]
"""From the image numbers of batches to these batches."""


class Evaluation:
    """Counts of what `predict` says of all evaluation images, the same on every rank.

    `load` gets batches of images and their classes; `predict` turns a batch of images into predictions; `count` turns
    classes and predictions into an int64 array, and leaves out the classes NOT_AN_IMAGE.
    """

    def __init__(
        self,
        predict: nn.Cell,
        load: Load,
        images: int,
        count: Callable[[np.ndarray, np.ndarray], np.ndarray],
        batch_size: int,
    ):
        self.predict, self.load, self.images, self.count = predict, load, images, count
        self.batch_size = batch_size

    def __call__(self, group: Group) -> np.ndarray:
        self.predict.set_train(False)
        share = evaluation_share(self.images, group.rank, group.ranks)
        batches = [share[start : start + self.batch_size] for start in range(0, len(share), self.batch_size)]
        # A rank without an image counts one batch of none, so that all come to the sum with the same shape.
        counts = sum(self._counts(*batch) for batch in self.load(batches or [range(1)]))
        return group.sum_counts(counts if batches else counts * 0)

    def _counts(self, images: np.ndarray, classes: np.ndarray) -> np.ndarray:
        missing = self.batch_size - len(images)  # a graph has one batch size: fill up
        images = np.pad(images, [(0, missing)] + [(0, 0)] * (images.ndim - 1))
        classes = np.pad(classes, [(0, missing)] + [(0, 0)] * (classes.ndim - 1), constant_values=NOT_AN_IMAGE)
        return self.count(classes, self.predict(Tensor(images)).asnumpy())
