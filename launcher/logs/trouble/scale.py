"""A loss scale that only falls: gradients overflow whatever they are scaled with."""

from __future__ import annotations

import math
from typing import NamedTuple

_SETTLED = 20  # lines without a change, after which the search for a first scale is over
_FALLEN = 256.0  # times, once it has settled
_FALLEN_TO_ONE = 8.0  # times, when it ends at 1 or less


class ScaleFall(NamedTuple):
    """How far the scale has fallen from its `peak` without a rise.

    A scaler begins high and looks for a scale that fits: until the scale has stayed for twenty lines, only a fall to 1
    counts. Later one to a 256th does.
    """

    words: str = ""
    scale: float | None = None
    peak: float = 0.0
    stayed: int = 0
    settled: bool = False

    def after(self, scale: float) -> ScaleFall:
        if not math.isfinite(scale) or scale <= 0:
            return self
        if self.scale is None or scale > self.scale:
            return ScaleFall(scale=scale, peak=scale, settled=self.settled or self.scale is not None)
        if scale == self.scale:
            stayed = self.stayed + 1
            if stayed >= _SETTLED and not self.settled and not self.words:
                return self._replace(peak=scale, stayed=stayed, settled=True)
            return self._replace(stayed=stayed)
        times = self.peak / scale
        falls = times >= _FALLEN if self.settled else False
        words = self.words
        if not words and (falls or (scale <= 1 and times >= _FALLEN_TO_ONE)):
            words = f"the loss scale has only fallen, from {self.peak:.6g} to {scale:.6g}"
        return self._replace(words=words, scale=scale, stayed=0)
