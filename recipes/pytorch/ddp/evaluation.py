"""Evaluation on unseen images, shared among the ranks."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from training.classification.metrics import MOST_LIKELY, hits, summary
from training.dataset import Dataset
from training.loader import load_batches
from training.sampling import evaluation_share

from ddp.device import Device
from ddp.group import Group


class Evaluation:
    """How well `network` does on all evaluation images, the same on every rank."""

    def __init__(
        self, network: nn.Module, dataset: Dataset, device: Device, group: Group, batch_size: int, workers: int
    ):
        self.network, self.dataset, self.device, self.group = network, dataset, device, group
        self.batch_size, self.workers = batch_size, workers
        self.classes = len(dataset.class_names)

    @torch.no_grad()
    def __call__(self) -> dict[str, float]:
        """The figures by name."""
        self.network.eval()
        share = evaluation_share(self.dataset.eval_images, self.group.rank, self.group.ranks)
        batches = [share[start : start + self.batch_size] for start in range(0, len(share), self.batch_size)]
        counts = np.zeros(3, np.int64)
        for images, classes in load_batches(batches, self.dataset.eval_sample, self.workers):
            counts += hits(classes, self._most_likely(images), self.classes)
        # 32 bits: an Ascend 910A adds up no wider integers.
        everywhere = self.group.sum(torch.from_numpy(counts).to(self.device.name, torch.int32))
        return summary(everywhere.cpu().numpy())

    def _most_likely(self, images: np.ndarray) -> np.ndarray:
        with self.device.autocast():
            scores = self.network(torch.from_numpy(images).to(self.device.name))
        return scores.float().topk(min(MOST_LIKELY, self.classes)).indices.cpu().numpy()
