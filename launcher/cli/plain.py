"""A run told line by line, for pipes, files and terminals that cannot do more."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby

from launcher.cli.faults import fault_words
from launcher.cli.output import Printer
from launcher.cli.standstills import straggler_words
from launcher.cli.summary import attempt_words
from launcher.cli.troubles import trouble_words
from launcher.cli.view import RunView
from launcher.cli.wording import count, duration, origin, ranks_phrase
from launcher.logs.safe import safe_line
from launcher.runs.events import (
    AttemptStarted,
    Decided,
    Event,
    FaultSeen,
    GangStopping,
    HangFound,
    HostBack,
    HostFenced,
    HostUnreachable,
    Note,
    ProcessExited,
    ShimLost,
    StopRequested,
    StragglerFound,
    TroubleFound,
)
from launcher.runs.layout import RunLayout
from launcher.runs.state import Exit

_WORTH_TELLING = 0.1  # seconds that a restart waits


class PlainScreen:
    """State changes go to stderr, the lines of one rank to stdout."""

    def __init__(self) -> None:
        self._talk = Printer(sys.stderr)
        self._data = Printer(sys.stdout)

    def happened(self, events: Sequence[Event], view: RunView) -> None:
        """Tell what changed the run's state."""
        self._talk.lines([f"npu-launch: {text}" for text in told(events, view)])

    def wrote(self, rank: int, lines: Sequence[bytes]) -> None:
        """Show new lines of the rank that speaks for all."""
        self._data.lines([prefixed(rank, line) for line in lines])

    def draw(self, view: RunView) -> None:
        """Nothing is drawn: what was said stays said."""

    def close(self) -> None:
        """Nothing is held."""


def prefixed(rank: int, line: bytes, width: int = 0) -> str:
    """`rank 3 | text`, the number padded to `width` digits."""
    return f"rank {rank:>{width}} | {safe_line(line)}"


def told(events: Sequence[Event], view: RunView) -> list[str]:
    """A sentence for every event that a person should hear of; one for all ranks that end badly in the same way."""
    sentences: list[str] = []
    for ending, group in groupby(events, key=lambda event: _ending(event, view)):
        if ending:
            ranks = [event.rank for event in group if isinstance(event, ProcessExited) and event.rank is not None]
            sentences.append(f"{ranks_phrase(ranks)} {ending}")
        else:
            sentences += [sentence for event in group if (sentence := _sentence(event, view))]
    return sentences


def _ending(event: Event, view: RunView) -> str:
    """How a rank ended, unless it ended well; in a gang all failures but one are the wake of that one."""
    if not isinstance(event, ProcessExited) or event.rank is None:
        return ""
    if event.stopped:
        return "stopped by npu-launch"
    if event.code == 0 and not event.error:
        return ""
    attempt = view.state.attempt
    in_the_wake = (
        attempt is not None
        and attempt.gang
        and attempt.number == event.attempt
        and attempt.first_failure not in (None, event.rank)
    )
    words = "failed after it" if in_the_wake else "failed"
    return f"{words}: {safe_line(str(Exit(event.code, event.time, event.error, event.oom)))}"


def _sentence(event: Event, view: RunView) -> str:
    match event:
        case AttemptStarted():
            start = origin(event.resume_from, event.own_checkpoints or (), event.ranks)
            logs = safe_line(str(RunLayout(view.path).attempt(event.attempt).ranks))
            follow = f"rank {event.ranks[0]}'s lines follow, those of all: " if len(event.ranks) > 1 else "logs: "
            what = f"{count(len(event.ranks), 'rank')} {start}".rstrip()
            return f"{_attempt(event, view)}: starting {what}; {follow}{logs}"
        case ShimLost():
            return f"the process that kept the ranks on {_host(event)} is gone, and they with it"
        case StopRequested():
            return f"stop asked for by {safe_line(event.by)}"
        case GangStopping() if view.state.stop_requested_by is None:
            return f"stopping what still runs on {_host(event)}: {safe_line(event.reason)}"
        case _:
            return explanation(event)


def explanation(event: Event) -> str:
    """A sentence for an event that explains what is about to change, or has gone wrong; empty for any other."""
    match event:
        case Decided() if event.decision.startswith("restart"):
            wait = event.due - event.time if event.due is not None else 0.0
            pause = f" in {duration(wait)}" if wait >= _WORTH_TELLING else ""
            return f"{safe_line(event.decision).replace('_', ' ')}{pause}: {safe_line(event.reason)}"
        case HostUnreachable():
            return f"host {_host(event)} has not answered for {duration(event.time - event.heard)}"
        case HostBack():
            return f"host {_host(event)} answers again"
        case HostFenced():
            return f"host {_host(event)} counts as lost, and its ranks as ended: its lease has run out"
        case HangFound() if event.path is not None or not event.fatal:
            return safe_line(event.words) + ("" if event.fatal else " (reported only)")
        case StragglerFound():
            return straggler_words(event)
        case TroubleFound():
            return f"{trouble_words(event)}: {safe_line(event.line, 200)}"
        case FaultSeen():
            return f"{fault_words([event])}  {safe_line(event.text, 200)}"
        case Note():
            return f"{event.level}: {safe_line(event.text)}"
        case _:
            return ""


def _attempt(event: AttemptStarted, view: RunView) -> str:
    attempt = view.state.attempt
    if attempt is None or attempt.number != event.attempt:
        return f"attempt {event.attempt}"
    return attempt_words(attempt)


def _host(event: Event) -> str:
    return safe_line(event.host or "an unknown host")
