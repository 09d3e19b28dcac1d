"""A series of numbers in a bounded number of points: its shape, for a person to look at."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

_MOST_POINTS = 64
_BLOCKS = "▁▂▃▄▅▆▇█"


class Curve(NamedTuple):
    """Each point is the mean of `stride` numbers that followed each other; `rest` are those of the unfinished point."""

    points: tuple[float, ...] = ()
    stride: int = 1
    rest: float = 0.0
    resting: int = 0

    def plus(self, number: float) -> Curve:
        """The curve with one more number; one that is not finite leaves no trace."""
        if not math.isfinite(number):
            return self
        rest, resting = self.rest + number, self.resting + 1
        if resting < self.stride:
            return Curve(self.points, self.stride, rest, resting)
        points = (*self.points, rest / resting)
        if len(points) < _MOST_POINTS:
            return Curve(points, self.stride)
        pairs = zip(points[::2], points[1::2], strict=True)
        return Curve(tuple(first / 2 + second / 2 for first, second in pairs), self.stride * 2)


def sparkline(points: Sequence[float], width: int) -> str:
    """The points as at most `width` bars; empty for fewer than three, which say nothing."""
    if len(points) < 3:
        return ""
    count = min(width, len(points))
    cells = [points[place * len(points) // count : (place + 1) * len(points) // count] for place in range(count)]
    heights = [sum(number / len(cell) for number in cell) for cell in cells]
    low, high = min(heights), max(heights)
    scale = (len(_BLOCKS) - 1) / (high - low) if 0 < high - low < math.inf else 0.0
    return "".join(_BLOCKS[round((height - low) * scale)] for height in heights)
