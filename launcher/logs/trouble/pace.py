"""A step time that jumps."""

from __future__ import annotations

from typing import NamedTuple

from launcher.logs.trouble.blocks import Blocks

_TIMES = 2.0  # times what is usual
_NOISES = 10.0  # times the usual distance from the level
_LEAST = 0.02  # seconds more
_BACK = 1.5  # times what was usual: below, an episode has ended
_LONGEST_EPISODE = 20  # blocks after which a pace is the usual one


class Pace(NamedTuple):
    """Whether steps take twice as long as usual, by the median of ten against the slowest of the latest such medians.

    Single slow steps, such as those before which an evaluation ran, count for nothing.
    """

    words: str = ""
    blocks: Blocks = Blocks()
    lasted: int = 0

    def after(self, seconds: float) -> Pace:
        if not 0 < seconds < 1e6:
            return self
        blocks, level = self.blocks.plus(seconds)
        if level is None:
            return self._replace(blocks=blocks)
        if not blocks.is_usual or self.lasted >= _LONGEST_EPISODE:
            return Pace("", blocks.kept())
        usual = max(blocks.medians)
        limit = _BACK * usual if self.words else max(_TIMES * usual, usual + _NOISES * blocks.noise, usual + _LEAST)
        if level < limit:
            return Pace("", blocks.kept())
        words = self.words or f"a step takes {level:.3g} s, up from {usual:.3g} s"
        return Pace(words, blocks.dropped(), self.lasted + 1)
