"""A series as the medians of blocks of numbers, by which a level is told from what single numbers do."""

from __future__ import annotations

from statistics import median
from typing import NamedTuple

BLOCK = 10  # numbers
_BLOCKS_KEPT = 20
_LEAST_BLOCKS = 3  # before a level can be called usual


class Blocks(NamedTuple):
    """The latest whole blocks: their medians, and how far their numbers are from these and these from each other."""

    numbers: tuple[float, ...] = ()
    medians: tuple[float, ...] = ()
    spreads: tuple[float, ...] = ()

    def plus(self, number: float) -> tuple[Blocks, float | None]:
        """The series with one more number, and the level of a block that is whole now but not yet `kept`."""
        numbers = (*self.numbers, number)
        if len(numbers) < BLOCK:
            return self._replace(numbers=numbers), None
        return self._replace(numbers=numbers), median(numbers)

    def kept(self) -> Blocks:
        """With the whole block among those that tell what is usual."""
        level = median(self.numbers)
        spread = median(abs(number - level) for number in self.numbers)
        if self.medians:
            spread += abs(level - self.medians[-1])
        return Blocks((), (*self.medians, level)[-_BLOCKS_KEPT:], (*self.spreads, spread)[-_BLOCKS_KEPT:])

    def dropped(self) -> Blocks:
        """Without the whole block."""
        return self._replace(numbers=())

    @property
    def is_usual(self) -> bool:
        """Whether there are enough blocks to compare another with."""
        return len(self.medians) >= _LEAST_BLOCKS

    @property
    def noise(self) -> float:
        """How far numbers usually are from the level of the block before."""
        return median(self.spreads)
