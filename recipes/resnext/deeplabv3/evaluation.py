"""Evaluation on unseen images, shared among the ranks."""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn

from deeplabv3.data import Dataset
from deeplabv3.folders import IGNORED
from deeplabv3.group import Group
from deeplabv3.loader import load_batches
from deeplabv3.metrics import confusion_matrix
from deeplabv3.sampling import evaluation_share


class Evaluation:
    """The confusion matrix of `network` over all evaluation images, the same on every rank."""

    def __init__(self, network: nn.Cell, dataset: Dataset, group: Group, batch_size: int, workers: int):
        self.network, self.predict = network, _Predict(network)
        self.dataset, self.group = dataset, group
        self.batch_size, self.workers = batch_size, workers

    def __call__(self) -> np.ndarray:
        self.network.set_train(False)
        classes = len(self.dataset.class_names)
        confusion = np.zeros((classes, classes), np.int64)
        share = evaluation_share(self.dataset.eval_images, self.group.rank, self.group.ranks)
        batches = [share[start : start + self.batch_size] for start in range(0, len(share), self.batch_size)]
        for images, labels in load_batches(batches, self.dataset.eval_sample, self.workers):
            missing = self.batch_size - len(images)  # a graph has one batch size: fill up with ignored pixels
            images = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
            labels = np.pad(labels, ((0, missing), (0, 0), (0, 0)), constant_values=IGNORED)
            confusion += confusion_matrix(labels, self.predict(Tensor(images)).asnumpy(), classes)
        return self.group.sum_counts(confusion)


class _Predict(nn.Cell):
    def __init__(self, network):
        super().__init__(auto_prefix=False)
        self.network = network

    def construct(self, images):
        return self.network(images).argmax(1)
