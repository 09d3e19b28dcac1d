"""Which images a rank sees in which step: a pure function of seed, epoch and step, so a resumed run needs no state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.errors import RecipeError


@dataclass(frozen=True)
class Sampling:
    """The order of the training images, and its division into steps, micro-batches and ranks.

    A step takes a contiguous part of the epoch's order, whatever the number of ranks and micro-batches that share it:
    the same images make the same step when a run continues with half the batch and twice the accumulation.
    """

    images: int
    batch_size: int
    ranks: int
    accumulation: int
    seed: int

    def __post_init__(self) -> None:
        if self.images < self.images_per_step:
            raise RecipeError(
                f"{self.images} training images, but one step takes {self.images_per_step} "
                f"({self.ranks} ranks x {self.accumulation} micro-batches x {self.batch_size}): "
                "lower --batch_size or --accumulation, or raise --train_images"
            )

    @property
    def images_per_step(self) -> int:
        return self.ranks * self.accumulation * self.batch_size

    @property
    def steps_per_epoch(self) -> int:
        """Full steps of an epoch; what remains is dropped, and differs from epoch to epoch."""
        return self.images // self.images_per_step

    def order(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(self.images)

    def micro_batches(self, epoch: int, rank: int, first: int = 0, until: int | None = None) -> list[np.ndarray]:
        """The image numbers of each micro-batch of `rank`, in the epoch's steps `first` to `until` (not included)."""
        return list(self._shares(epoch)[first:until, :, rank].reshape(-1, self.batch_size))

    def dealt(self, epoch: int, first: int = 0, until: int | None = None) -> np.ndarray:
        """The image numbers of all ranks in these steps, as a dealer of cards would need them: number i is that of rank
        i % ranks, and what a rank is dealt are its micro-batches. Data sets that are given `num_shards` and `shard_id`
        deal so.
        """
        return self._shares(epoch)[first:until].swapaxes(2, 3).reshape(-1)

    def _shares(self, epoch: int) -> np.ndarray:
        """Image numbers, (step, micro-batch, rank, image)."""
        used = self.order(epoch)[: self.steps_per_epoch * self.images_per_step]
        return used.reshape(self.steps_per_epoch, self.accumulation, self.ranks, self.batch_size)


def evaluation_share(images: int, rank: int, ranks: int) -> range:
    """The evaluation images of one rank: every image goes to exactly one."""
    return range(rank, images, ranks)
