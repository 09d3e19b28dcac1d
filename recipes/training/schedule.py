"""Learning rate by step: linear warm-up, then poly or cosine decay."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """A learning rate for each of `steps` optimiser steps, numbered from 0.

    The decay reaches `end` at step `steps`, the one after the last: no step is spent on a rate of zero.
    """

    kind: str
    steps: int
    base: float
    end: float = 0.0
    warmup_steps: int = 0
    power: float = 0.9

    def rate(self, step: int) -> float:
        if step < self.warmup_steps:
            return self.base * (step + 1) / self.warmup_steps
        decay_steps = max(self.steps - self.warmup_steps, 1)
        progress = min((step - self.warmup_steps) / decay_steps, 1.0)
        cosine = (1.0 + math.cos(math.pi * progress)) / 2
        remaining = cosine if self.kind == "cosine" else (1.0 - progress) ** self.power
        return self.end + (self.base - self.end) * remaining

    def rates(self) -> list[float]:
        return [self.rate(step) for step in range(self.steps)]
