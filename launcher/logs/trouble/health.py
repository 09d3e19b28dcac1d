"""All signs of trouble in the lines of one rank: what goes on now, and the line with which it began."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from launcher.logs.metrics import EpochTime, Metric, Observation, Step
from launcher.logs.trouble.loss import Explosion, Finite, Standstill
from launcher.logs.trouble.pace import Pace
from launcher.logs.trouble.scale import ScaleFall
from launcher.runs.events import Trouble


@dataclass(frozen=True)
class Sign:
    """Trouble that has begun: in words, at a step (since the start of training), with the line that shows it."""

    kind: Trouble
    words: str
    step: int | None
    offset: int
    line: bytes


_NONE: Mapping[Trouble, Sign] = MappingProxyType({})


class Health(NamedTuple):
    """The folds of one rank; `signs` are of the trouble that goes on now.

    `arrived` is the latest (time, steps done) by which a step's time is measured, where the script does not tell it.
    """

    finite: Finite = Finite()
    explosion: Explosion = Explosion()
    standstill: Standstill = Standstill()
    scale: ScaleFall = ScaleFall()
    pace: Pace = Pace()
    tells_pace: bool = False
    arrived: tuple[float, int] | None = None
    signs: Mapping[Trouble, Sign] = _NONE

    def after(
        self, seen: Observation, offset: int, line: bytes, done: int | None, arrived: float | None = None
    ) -> Health:
        """The health after what a line at an offset of the log said, and the steps done with it."""
        if isinstance(seen, EpochTime):
            return self if seen.phase == "eval" else self._replace(tells_pace=True)
        if not isinstance(seen, Step):
            return self
        loss, scale = seen.loss, seen.values.get(Metric.LOSS_SCALE)
        pace, tells, mark = self._paced(seen, done, arrived)
        finite = self.finite if loss is None else self.finite.after(loss)
        # A bar shows the same loss, or a mean of many, in state after state.
        once = None if seen.repeats else loss
        explosion = self.explosion if once is None else self.explosion.after(once)
        standstill = self.standstill if once is None else self.standstill.after(once)
        fall = self.scale if scale is None else self.scale.after(scale)
        told = {
            Trouble.LOSS_NOT_FINITE: finite.words,
            Trouble.LOSS_EXPLODES: explosion.words,
            Trouble.LOSS_STANDS: standstill.words,
            Trouble.SCALE_FALLS: fall.words,
            Trouble.STEPS_SLOWER: pace.words,
        }
        signs = {
            kind: self.signs.get(kind) or Sign(kind, words, done, offset, line) for kind, words in told.items() if words
        }
        return Health(finite, explosion, standstill, fall, pace, tells, mark, signs)

    def _paced(
        self, seen: Step, done: int | None, arrived: float | None
    ) -> tuple[Pace, bool, tuple[float, int] | None]:
        """The pace, whether the script tells it, and the latest arrival."""
        # A bar's own pace is a mean of the latest, drawn ten times a second: what arrives tells more.
        if (seconds := seen.values.get(Metric.STEP_SECONDS)) is not None and not seen.repeats:
            return self.pace.after(seconds), True, None
        if self.tells_pace or arrived is None or done is None:
            return self.pace, self.tells_pace, self.arrived
        if self.arrived is None or done <= self.arrived[1] or arrived <= self.arrived[0]:
            latest = (arrived, done) if self.arrived is None or done < self.arrived[1] else self.arrived
            return self.pace, False, latest
        time, steps = self.arrived
        return self.pace.after((arrived - time) / (done - steps)), False, (arrived, done)

    def unseen(self) -> Health:
        """After a time in which nobody looked: the next line says nothing about a step's time."""
        return self._replace(arrived=None)
