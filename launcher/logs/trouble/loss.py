"""A loss that is no number, that explodes, or that stands still."""

from __future__ import annotations

import math
from typing import NamedTuple

from launcher.logs.trouble.blocks import Blocks

_FINITE_AGAIN = 20  # losses in a row that end an episode: some scripts go on over single steps that overflow
_NOISES = 10.0  # times the usual distance from the level
_TIMES = 3.0  # times the lowest level
_BLOCKS = 2  # in a row
_LATEST = 5  # blocks: a loss that takes longer to rise does not explode
_LOST = 0.5  # of what had been gained since the first level
_LONGEST_EPISODE = 20  # blocks after which a level is the usual one
_STANDS = 50  # losses in a row
_SAME = 1e-5  # of the loss: closer to each other they are the same
_LEAST_DIGITS = 3  # a loss that is printed with fewer may stay the same for long
_FADED = 0.01  # from below this a loss may come to 0 for want of digits


class Finite(NamedTuple):
    """Whether losses are numbers: `words` while they are not, and until they have been for some time."""

    words: str = ""
    finite: int = 0

    def after(self, loss: float) -> Finite:
        if not math.isfinite(loss):
            return Finite(self.words or f"the loss is {loss}")
        if not self.words or self.finite + 1 >= _FINITE_AGAIN:
            return Finite()
        return Finite(self.words, self.finite + 1)


class Explosion(NamedTuple):
    """Whether the loss has come up all at once: medians of ten against the lowest such median of the fifty before.

    It has when two in a row are three times that level and ten times the usual noise above it, and at least half of
    what had been gained since the first ten is lost. What rises slowly, as
    adversarial losses may, or with the learning rate, is none.
    """

    words: str = ""
    blocks: Blocks = Blocks()
    first: float | None = None
    lasted: int = 0

    def after(self, loss: float) -> Explosion:
        if not math.isfinite(loss):
            return self
        blocks, level = self.blocks.plus(loss)
        if level is None:
            return self._replace(blocks=blocks)
        first = level if self.first is None else self.first
        if not blocks.is_usual:
            return Explosion("", blocks.kept(), first)
        lowest = min(blocks.medians[-_LATEST:])
        if self.lasted >= _LONGEST_EPISODE or not self._is_far_up(blocks, level, lowest, first):
            return Explosion("", blocks.kept(), first)
        words = self.words
        if not words and self.lasted + 1 >= _BLOCKS:
            words = f"the loss has come up from {lowest:.4g} to {level:.4g}"
        return Explosion(words, blocks.dropped(), first, self.lasted + 1)

    def _is_far_up(self, blocks: Blocks, level: float, lowest: float, first: float) -> bool:
        return (
            level > lowest + _NOISES * blocks.noise
            and level > _TIMES * lowest
            and level - lowest > _LOST * (first - lowest)
            and level > lowest + abs(lowest)
        )


class Standstill(NamedTuple):
    """Whether the loss is the same for fifty step lines in a row, to one part in 100,000.

    Losses that are printed with less than three digits may be, and one that had been fading away may come to 0.
    `stays` is the loss that has come so many `times` in a row, `before` the one before it.
    """

    words: str = ""
    stays: float = math.nan
    times: int = 0
    before: float = math.nan

    def after(self, loss: float) -> Standstill:
        if not abs(loss - self.stays) <= _SAME * abs(self.stays):
            return Standstill("", loss, 1, self.stays)
        times = self.times + 1
        if times < _STANDS or self.words or not self._is_odd():
            return self._replace(times=times)
        return self._replace(times=times, words=f"the loss has been {self.stays:.6g} in {times} step lines in a row")

    def _is_odd(self) -> bool:
        if self.stays == 0:
            return not abs(self.before) < _FADED
        return len(f"{self.stays!r}".split("e")[0].strip("-0").replace(".", "").lstrip("0")) >= _LEAST_DIGITS
