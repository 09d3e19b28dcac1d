"""Where the time of a run went: every second of it belongs to one attempt, and has one name there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from launcher.runs.state import AttemptState, RunState

_PLAIN = "plain"  # the framework of programs that need not train, of which most tell no steps


class Kind(str, Enum):
    """What a stretch of time was spent on; only `TRAINING` brings the job on.

    LAUNCH lasts until the last rank has started, COMPILE to the end of the first step (imports are in it), RECOMPUTE
    until an attempt has done again what one before it had done. DETECTING lasts from the failure, or from the
    beginning of a standstill, until the others are told to stop, DOWN until nothing is left of them, RESTARTING until
    the next attempt starts.
    """

    LAUNCH = "launch"
    COMPILE = "compile"
    RECOMPUTE = "recompute"
    TRAINING = "training"
    DETECTING = "detecting"
    DOWN = "down"
    RESTARTING = "restarting"


@dataclass(frozen=True)
class Segment:
    """Time spent on one thing, in seconds since the epoch."""

    kind: Kind
    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


@dataclass(frozen=True)
class AttemptLedger:
    """An attempt's time: each segment begins where the one before it ends.

    Without `tells_steps` nobody knows when training began: it is counted from the launch on, compilation included.
    """

    number: int
    segments: tuple[Segment, ...]
    tells_steps: bool

    @property
    def wall(self) -> float:
        return self.segments[-1].end - self.segments[0].start if self.segments else 0.0

    def seconds(self, kind: Kind) -> float:
        """How long the attempt spent on this."""
        return sum(segment.seconds for segment in self.segments if segment.kind is kind)


@dataclass(frozen=True)
class Ledger:
    """A run's time, attempt by attempt. `idle` is the time between its ends and reruns, which is in no attempt."""

    attempts: tuple[AttemptLedger, ...] = ()
    idle: float = 0.0

    @property
    def wall(self) -> float:
        """Seconds from the run's creation to its end, without `idle`."""
        return sum(attempt.wall for attempt in self.attempts)

    @property
    def tells_steps(self) -> bool:
        return any(attempt.tells_steps for attempt in self.attempts)

    def seconds(self, kind: Kind) -> float:
        """How long the run spent on this."""
        return sum(attempt.seconds(kind) for attempt in self.attempts)

    @property
    def effective_ratio(self) -> float | None:
        """The share of new training in the wall time; None when nobody can tell training from the rest."""
        if not self.tells_steps or self.wall <= 0:
            return None
        return self.seconds(Kind.TRAINING) / self.wall


def ledger(state: RunState, now: float) -> Ledger:
    """Where the time went, up to the run's end, or up to `now` while it goes on.

    The first attempt's time begins with the run, that of a restart where the one before it ends. Attempts beside each
    other (independent ranks that are run again while others go on) share the wall time: each has what lies between its
    start and the next one's. A clock that was set back makes a segment of no length, never one of less.
    """
    at = state.created
    idle = 0.0
    attempts: list[AttemptLedger] = []
    beside_last = False
    for place, attempt in enumerate(state.attempts):
        following = state.attempts[place + 1] if place + 1 < len(state.attempts) else None
        if attempts and not _is_restart(attempt):
            idle += max(attempt.started - at, 0.0)
            at = max(at, attempt.started)
        end = max(at, _end(state, attempt, following, now))
        beside_next = _is_beside(attempt, following)
        work = _work(state, attempt, beside_last, at)
        marks = work if beside_next else _with_end(attempt, work)
        attempts.append(AttemptLedger(attempt.number, _segments(marks, at, end), attempt.first_step is not None))
        at, beside_last = end, beside_next
    return Ledger(tuple(attempts), idle)


def _is_restart(attempt: AttemptState) -> bool:
    """Whether npu-launch began it, and not a person."""
    return attempt.restarts > 0


def _is_beside(attempt: AttemptState, following: AttemptState | None) -> bool:
    """Whether ranks of an attempt go on while the following one starts."""
    if following is None or following.gang or not _is_restart(following):
        return False
    return attempt.ended is None or attempt.ended > following.started


def _end(state: RunState, attempt: AttemptState, following: AttemptState | None, now: float) -> float:
    """When the time after an attempt is not the attempt's any more."""
    if following is not None and _is_restart(following):
        return following.started
    if attempt.run_ended is not None:
        return attempt.run_ended
    if following is None and not state.phase.ended:
        return now
    if following is None and attempt.ended is not None:
        return attempt.ended
    return _last_sign_of_life(state, attempt)


def _last_sign_of_life(state: RunState, attempt: AttemptState) -> float:
    """The last that the record says of an attempt whose end nobody saw."""
    times = [attempt.launched, attempt.failed, attempt.stopping_since]
    times += [event.time for event in (attempt.last_step, attempt.hang) if event is not None]
    for rank in state.ranks.values():
        if rank.attempt == attempt.number:
            times += [rank.started, rank.exit.time if rank.exit is not None else None]
    return max([attempt.started, *(time for time in times if time is not None)])


_Mark = tuple[float, Kind]  # from when on time is spent on what


def _work(state: RunState, attempt: AttemptState, beside_last: bool, start: float) -> list[_Mark]:
    """From the launch to training."""
    if beside_last:  # others train all the while
        return [(start, Kind.TRAINING)]
    marks = [(start, Kind.LAUNCH)]
    if attempt.launched is not None:
        marks.append((attempt.launched, Kind.COMPILE if _will_tell_steps(state, attempt) else Kind.TRAINING))
    if attempt.first_step is not None:
        marks.append((attempt.first_step.time, Kind.RECOMPUTE))
    if attempt.caught_up is not None:
        marks.append((attempt.caught_up.time, Kind.TRAINING))
    return marks


def _will_tell_steps(state: RunState, attempt: AttemptState) -> bool:
    """Whether the time before an attempt's first step is known, or likely, to be that."""
    if any(other.first_step is not None for other in state.attempts):
        return True
    goes_on = attempt is state.attempt and not state.phase.ended and attempt.ended is None
    return goes_on and state.framework != _PLAIN


def _with_end(attempt: AttemptState, work: list[_Mark]) -> list[_Mark]:
    """The marks of an attempt's work, up to its end, and those of the end."""
    broke, found = _broke(attempt), _found(attempt)
    ceased = min((time for time in (broke, found, attempt.ended) if time is not None), default=None)
    if ceased is None:
        return work
    marks = [(min(time, ceased), kind) for time, kind in work]
    if broke is not None:
        marks.append((ceased, Kind.DETECTING))
    if found is not None:
        marks.append((found, Kind.DOWN))
    if attempt.ended is not None:
        marks.append((attempt.ended, Kind.RESTARTING if attempt.run_ended is None else Kind.DOWN))
    return marks


def _broke(attempt: AttemptState) -> float | None:
    """Since when an attempt could not come on any more; None when nothing says so."""
    if not attempt.gang:
        return None
    times = [attempt.failed] if attempt.failed is not None else []
    hang, last = attempt.hang, attempt.last_step
    if hang is not None and (last is None or last.time <= hang.time):
        ended_well = attempt.ended is not None and attempt.failed is None and attempt.stopping_since is None
        if not ended_well:
            times.append(hang.since)
    if not times:
        return None
    if attempt.first_failure is None and last is not None:  # a host may have trained on without being heard
        return max(min(times), last.time)
    return min(times)


def _found(attempt: AttemptState) -> float | None:
    """When the others were told to stop, or were about to be."""
    times = [attempt.stopping_since]
    if attempt.hang is not None and attempt.hang.fatal:
        times.append(attempt.hang.time)
    return min((time for time in times if time is not None), default=None)


def _segments(marks: Sequence[_Mark], start: float, end: float) -> tuple[Segment, ...]:
    """The marks as segments that cover the time from start to end without a gap."""
    segments: list[Segment] = []
    at = start
    ends = [time for time, _ in marks[1:]]
    for (_, kind), until in zip(marks, [*ends, end], strict=True):
        until = min(max(at, until), end)
        if until > at:
            before = segments.pop() if segments and segments[-1].kind is kind else None
            segments.append(Segment(kind, before.start if before else at, until))
        at = until
    return tuple(segments)
