"""How many steps a rank has done since the start of training: a fold over where its lines say that it stands.

Scripts count in their own ways: from the start of training, anew in each epoch (from 0 or 1), or along a progress bar
that begins again. Where a script never says how many steps an epoch has, the last step before a new epoch tells.
"""

from __future__ import annotations

from typing import NamedTuple

from launcher.logs.metrics import Counted, Length, Step

_BY_EPOCH = (Counted.EPOCH, Counted.EITHER)


class Odometer(NamedTuple):
    """Where a rank stands. `epoch`, `step` and their totals are as the latest lines print them.

    `per_epoch` are the steps of an epoch as far as that was seen, `first_epoch` the number of the first. `goes_on` says
    that steps do not begin again with an epoch although the line has one, `rounds` how often a bar has come to its end.
    `trains` says that a step of training was certainly done: a bar without a name may be another's.
    """

    epoch: float | None = None
    epochs: int | None = None
    first_epoch: int = 1
    step: int | None = None
    steps: int | None = None
    counted: Counted | None = None
    per_epoch: int | None = None
    goes_on: bool = False
    rounds: int = 0
    length: Length = Length()
    trains: bool = False

    def done(self, per_epoch: int | None = None) -> int | None:
        """Steps since the start of training; None when no line allows to tell.

        `per_epoch` are the steps of an epoch where that is known from elsewhere.
        """
        if self.step is None:
            return self._by_fraction()
        if self.counted is Counted.TRAINING or self.goes_on:
            return self.step
        if self.counted not in _BY_EPOCH:
            return self.rounds * (self.steps or 0) + self.step
        before = 0 if self.epoch is None else int(self.epoch) - self.first_epoch
        if before <= 0:
            return self.step
        of_one = per_epoch or self.steps or self.per_epoch
        return None if of_one is None else before * of_one + self.step

    @property
    def total(self) -> int | None:
        """The steps of the whole training, where the lines say it."""
        if self.length.steps is not None:
            return self.length.steps
        if self.counted is Counted.TRAINING:
            return self.steps
        if self.counted in _BY_EPOCH:
            return self.steps * self.epochs if self.steps and self.epochs and not self.goes_on else None
        return self.steps if not self.rounds else None

    def _by_fraction(self) -> int | None:
        """By the part of all epochs that is done."""
        if self.epoch is None or self.length.steps is None or not self.length.epochs:
            return None
        return round(min(self.epoch / self.length.epochs, 1.0) * self.length.steps)


def turned(odometer: Odometer, seen: Step) -> Odometer:
    """Where the rank stands after one more line."""
    if seen.counted is Counted.NAMELESS_BAR or seen.counted is Counted.BAR:
        return _along_bar(odometer, seen)
    after = odometer._replace(trains=odometer.trains or bool(seen.step) or seen.loss is not None)
    if seen.counted in _BY_EPOCH:
        after = _in_epoch(after, seen)
    if seen.epoch is not None:
        after = after._replace(epoch=seen.epoch, epochs=seen.epochs or after.epochs)
        if seen.epoch == 0 and seen.counted in _BY_EPOCH:
            after = after._replace(first_epoch=0)
    if seen.step is None:
        return after
    return after._replace(step=seen.step, steps=seen.steps or _steps_before(after, seen), counted=seen.counted)


def lengthened(odometer: Odometer, length: Length) -> Odometer:
    """With what a line says of how long training will be."""
    known = odometer.length
    return odometer._replace(length=Length(length.epochs or known.epochs, length.steps or known.steps))


def _steps_before(odometer: Odometer, seen: Step) -> int | None:
    """What an earlier line said of how many there are, if it counted the same."""
    return odometer.steps if odometer.counted is seen.counted else None


def _in_epoch(odometer: Odometer, seen: Step) -> Odometer:
    """Whether another epoch has begun, and what the end of the one before it tells."""
    known = odometer.step if odometer.counted in _BY_EPOCH else None
    if seen.epoch is None or odometer.epoch is None or seen.epoch == odometer.epoch or known is None:
        return odometer
    if seen.counted is Counted.EITHER and seen.step is not None and seen.steps is None and seen.step > known:
        return odometer._replace(goes_on=True)
    learned = known if seen.epoch == odometer.epoch + 1 and not odometer.goes_on else 0
    step = 0 if seen.step is None else odometer.step
    return odometer._replace(per_epoch=max(learned, odometer.per_epoch or 0) or None, goes_on=False, step=step)


def _along_bar(odometer: Odometer, seen: Step) -> Odometer:
    """A bar, if it is the one that training is followed by: named, or the longest of those without a name so far."""
    if odometer.counted in (*_BY_EPOCH, Counted.TRAINING) and odometer.step is not None:
        return odometer
    is_same = odometer.counted is seen.counted and odometer.steps == seen.steps
    if not is_same and odometer.counted is not None and not _is_better(odometer, seen):
        return odometer
    step = seen.step or 0
    rounds = odometer.rounds if is_same else 0
    if is_same and odometer.step is not None and odometer.step >= (seen.steps or 0) and step < odometer.step:
        rounds += 1
    has_loss = seen.loss is not None or odometer.trains
    trains = odometer.trains or (step > 0 and (has_loss or seen.counted is Counted.BAR))
    return odometer._replace(step=step, steps=seen.steps, counted=seen.counted, rounds=rounds, trains=trains)


def _is_better(odometer: Odometer, seen: Step) -> bool:
    if seen.counted is not odometer.counted:
        return seen.counted is Counted.BAR
    return (odometer.step or 0) >= (odometer.steps or 0) < (seen.steps or 0)
