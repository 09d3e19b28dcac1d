"""Whether ranks have come to a standstill: a fold over what is seen of them.

Where the log has step lines, only lines that tell of training are progress; where it has none, every growth of a log
and every use of a processor is. Time is compared with the usual time between two step lines of one rank, and not with
that of a step: a script may write a line every hundred steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import median

from launcher.specs import Hang, HangPolicy
from launcher.supervise.watch.processor import Use

_GAPS_KEPT = 20
_USUAL_GAPS = 3.0  # a standstill is longer than so many usual times between step lines
_BUSY = 0.05  # of one core, a rank with all that it has started
_MOVING = 100_000  # bytes a second: a checkpoint that is written takes no processor
_MEASURE_AFTER = 0.5  # of the limit: until then nobody asks for processor time
_MEASURE_EVERY = 0.25  # of the limit
_SLOWER_BY = 0.125  # of the time that it has lasted: the longer it lasts, the more rarely it is measured


@dataclass(frozen=True)
class Signs:
    """What a look at all ranks showed, as the times at which it happened; None is nothing new.

    `steps` are the times of ranks' step lines that were seen as they came.
    """

    stepped: float | None = None
    marked: float | None = None
    grew: float | None = None
    use: Use | None = None
    steps: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """Ranks have stood still since `since`, for longer than `limit` seconds; `fatal`: they are to be stopped."""

    since: float
    limit: float
    fatal: bool


@dataclass(frozen=True)
class Pulse:
    """The latest signs of an attempt, whose ranks all ran from `began` on and have been watched since `watched`.

    `came_on` is when a line last told of training, `grew` when any line came, `stirred` when ranks were last found at
    work. `idle_from` is when they were first found not to be, since then without a break, and `held` are those that
    could not run at all when they were measured. `last` is when each rank was last seen to tell a step, and `gaps` are
    the seconds between its latest step lines: ranks may tell the same step some time apart.
    """

    began: float
    watched: float
    came_on: float
    grew: float
    stirred: float
    stepped: float | None = None
    last: Mapping[int, float] = field(default_factory=dict)
    gaps: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    use: Use | None = None
    idle_from: float | None = None
    held: frozenset[int] = frozenset()

    @classmethod
    def start(cls, began: float, now: float) -> Pulse:
        """Of ranks that have just been started, or that somebody else has watched until now."""
        began = min(began, now)  # the clock may have been set back meanwhile
        return cls(began=began, watched=now, came_on=began, grew=began, stirred=began)

    def anew(self, now: float, unseen: float) -> Pulse:
        """After a time in which nobody looked, or the clock was set: of all before it only the usual gaps count."""
        return replace(
            self,
            began=self.began + unseen,
            stepped=None if self.stepped is None else self.stepped + unseen,
            watched=now,
            came_on=now,
            grew=now,
            stirred=now,
            last={},
            use=None,
            idle_from=None,
            held=frozenset(),
        )

    @property
    def alive(self) -> float:
        """When there was last a sign of progress."""
        return self.came_on if self.stepped is not None else max(self.came_on, self.grew, self.stirred)

    def limit(self, hang: Hang) -> float:
        """How many seconds without progress are a standstill."""
        if self.stepped is None:
            return hang.seconds
        # Nobody has seen a second step yet: the first, with all that came before it, took longer than the others will.
        usual = self.stepped - self.began if self._usual_gap is None else self._usual_gap
        return max(hang.seconds, _USUAL_GAPS * usual)

    @cached_property
    def _usual_gap(self) -> float | None:
        """That of the rank that tells its steps most rarely."""
        return max(map(median, self.gaps.values()), default=None)


def feel(pulse: Pulse, signs: Signs) -> Pulse:
    """The pulse after one more look."""
    if signs.stepped is not None:
        pulse = replace(pulse, stepped=max(signs.stepped, pulse.stepped or 0.0))
    if signs.steps:
        pulse = _stepped(pulse, signs.steps)
    came_on = max(pulse.came_on, signs.stepped or 0.0, signs.marked or 0.0)
    if came_on > pulse.came_on:
        pulse = replace(pulse, came_on=came_on, use=None, idle_from=None, held=frozenset())
    if signs.grew is not None:
        pulse = replace(pulse, grew=max(pulse.grew, signs.grew))
    return pulse if signs.use is None else _measured(pulse, signs.use)


def _stepped(pulse: Pulse, steps: Mapping[int, float]) -> Pulse:
    gaps = dict(pulse.gaps)
    for rank, time in steps.items():
        before = pulse.last.get(rank)
        if before is not None and time > before:
            gaps[rank] = (*gaps.get(rank, ()), time - before)[-_GAPS_KEPT:]
    return replace(pulse, last={**pulse.last, **steps}, gaps=gaps)


def _measured(pulse: Pulse, use: Use) -> Pulse:
    before = pulse.use
    if before is None or use.at <= before.at:
        return replace(pulse, use=use)
    held = before.held & use.held
    if _are_at_work(before, use, has_stepped=pulse.stepped is not None):
        return replace(pulse, use=use, stirred=use.at, idle_from=None, held=held)
    idle_from = before.at if pulse.idle_from is None else pulse.idle_from
    return replace(pulse, use=use, idle_from=idle_from, held=held)


def _are_at_work(before: Use, use: Use, *, has_stepped: bool) -> bool:
    """Whether what ranks have used in between may be progress.

    Ranks may spin while they wait (MindSpore's on CPU do). So when most are busy, the few idle ones are what they wait
    for; when few are busy, those may evaluate or save something for all.
    """
    lasted = use.at - before.at
    measured = use.seconds.keys() & before.seconds.keys()  # a host may not have answered every time
    busy = {
        rank
        for rank in measured
        if use.seconds[rank] - before.seconds[rank] >= _BUSY * lasted
        or use.moved.get(rank, 0) - before.moved.get(rank, 0) >= _MOVING * lasted
    }
    idle = len(measured) - len(busy)
    return bool(busy) and not (has_stepped and 0 < idle < len(busy))


def wants_use(pulse: Pulse, hang: Hang, now: float) -> bool:
    """Whether processor time is to be measured now: only when nothing else has told of progress for long."""
    limit, lasted = pulse.limit(hang), now - max(pulse.alive, pulse.watched)
    if hang.policy is HangPolicy.OFF or now - pulse.alive < limit * _MEASURE_AFTER:
        return False
    return pulse.use is None or now - pulse.use.at >= max(limit * _MEASURE_EVERY, lasted * _SLOWER_BY)


def judge(pulse: Pulse, hang: Hang, now: float, *, can_stop: bool) -> Verdict | None:
    """Whether there is a standstill now. `can_stop` is False when it would be wrong to stop the ranks for it.

    While ranks that had trained are at work or write other lines they may well evaluate or save something: `auto`
    reports that and stops nothing, unless a rank is held, which then cannot come on.
    """
    limit, since = pulse.limit(hang), pulse.alive
    if hang.policy is HangPolicy.OFF or now - since < limit or now - pulse.watched < limit * _MEASURE_AFTER:
        return None
    if pulse.use is None or (pulse.idle_from is None and pulse.stirred <= since):
        return None  # not measured yet
    if pulse.stepped is None:
        if pulse.idle_from is None:
            return None
        waited = now - since >= max(hang.first_step, limit)
        return Verdict(since, limit, fatal=can_stop and hang.policy is HangPolicy.STOP and waited)
    quiet = bool(pulse.held) or (pulse.idle_from is not None and now - pulse.grew >= limit)
    fatal = hang.policy is HangPolicy.STOP or (hang.policy is HangPolicy.AUTO and quiet)
    return Verdict(since, limit, fatal=can_stop and fatal)
