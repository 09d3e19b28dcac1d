"""The data-parallel group: joining, sums over its ranks, leaving."""

from __future__ import annotations

import gc
from dataclasses import dataclass

import torch.distributed as dist
from torch import Tensor

from ddp.environment import Place


@dataclass(frozen=True)
class Group:
    rank: int
    ranks: int

    def sum(self, tensor: Tensor) -> Tensor:
        """The tensor, in place the sum of those of all ranks."""
        if self.ranks > 1:
            dist.all_reduce(tensor)
        return tensor

    def leave(self) -> None:
        """Leave, when nothing uses the group any more.

        A DDP that outlives the group takes the last of it along when it goes: it then waits, with Python's lock in its
        hands, for a thread of gloo that may be waiting for that lock (seen with torch 2.13).
        """
        if self.ranks > 1:
            gc.collect()
            dist.destroy_process_group()


def join(place: Place, backend: str) -> Group:
    """The group of all ranks, who meet where MASTER_ADDR and MASTER_PORT say."""
    if place.ranks > 1:
        dist.init_process_group(backend)
    return Group(place.rank, place.ranks)
