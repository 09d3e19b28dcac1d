"""BatchNorm's running statistics, kept equal on all ranks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ddp.group import Group


class SharedStatistics:
    """Averages the running means and variances over ranks once a step, or puts the former ones back.

    In data parallel each rank's BatchNorm sees its own images, so the statistics drift apart although the weights do
    not; DDP's own broadcast has all ranks forget theirs for those of rank 0. Averaged in every step they are part of
    the state all ranks share: any rank's checkpoint is the run's, and every rank evaluates the same network.
    """

    def __init__(self, network: nn.Module, group: Group):
        self.group = group
        self.buffers = list(network.buffers())
        self.running = [each for each in self.buffers if each.is_floating_point()]

    def copy(self) -> list[Tensor]:
        return [each.clone() for each in self.buffers]

    def restore(self, former: list[Tensor]) -> None:
        for each, value in zip(self.buffers, former, strict=True):
            each.copy_(value)

    def average(self, loss: Tensor) -> float:
        """Average the statistics, and return the mean over ranks of `loss`, which travels with them."""
        everything = torch.cat([*(each.reshape(-1) for each in self.running), loss.reshape(1)])
        everything = self.group.sum(everything) / self.group.ranks
        *means, loss = everything.split([*(each.numel() for each in self.running), 1])
        for each, mean in zip(self.running, means, strict=True):
            each.copy_(mean.reshape(each.shape))
        return loss.item()
