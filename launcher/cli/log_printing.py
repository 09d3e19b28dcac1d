"""Rank logs on stdout, whole or as they grow."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from launcher.cli.interrupts import Interrupts
from launcher.cli.output import talk
from launcher.cli.plain import prefixed
from launcher.cli.wording import ranks_phrase
from launcher.errors import ExitCode
from launcher.logs.follow import SAFETY_TICK, Follower
from launcher.logs.tail import Tail, last_lines, offset_of_last
from launcher.supervise.followed_record import FollowedRecord

if TYPE_CHECKING:
    from launcher.runs.state import AttemptState
    from launcher.runs.store import RunDirectory

_PAUSE_SECONDS = 0.02


def print_logs(run: RunDirectory, attempt: AttemptState, ranks: Sequence[int] | None, last: int | None) -> bool:
    """The logs of an attempt, rank after rank; whether there was anything in them."""
    chosen = [rank for rank in attempt.ranks if ranks is None or rank in ranks]
    width = _digits(chosen)
    any_line = False
    for rank in chosen:
        path = run.rank_log(attempt.number, rank)
        if last is not None:
            lines = last_lines(path, last)
            any_line |= bool(lines) or path.exists()
            _write(rank, lines, width)
            continue
        tail = Tail(path)
        while lines := tail.read() or tail.finish():
            any_line = True
            _write(rank, lines, width)
        tail.close()
    return any_line


def follow_logs(run: RunDirectory, ranks: Sequence[int] | None, last: int | None, only: int | None) -> ExitCode:
    """New lines until the run, or the attempt `only`, is over; a restart goes on with the next attempt's logs."""
    follower: Follower[int] = Follower()
    follower.wake_for(run.layout.events)
    record = FollowedRecord(run)
    begun, width = 0, 1  # the number of the latest attempt that is followed
    with Interrupts() as interrupts:
        try:
            while True:
                record.read()
                state = record.state
                for attempt in state.attempts if begun else state.attempts[-1:]:
                    if attempt.number <= begun or only not in (None, attempt.number):
                        continue
                    _finish(follower, width, attempt.ranks)  # the others may run on
                    width = max(width, _digits(attempt.ranks))
                    _begin(follower, run, attempt, ranks, None if begun else last)
                    if begun:
                        talk(f"npu-launch: attempt {attempt.number}: {ranks_phrase(attempt.ranks)}")
                    begun = attempt.number
                over = only is not None and state.attempts[-1].number != only
                for rank, lines in follower.read():
                    _write(rank, lines, width)
                sys.stdout.flush()
                if over or state.phase.ended:
                    _finish(follower, width)
                    return ExitCode.OK
                follower.wait(SAFETY_TICK, interrupts.fd)
                if interrupts.take() - {signal.SIGWINCH}:
                    return ExitCode.INTERRUPTED
                time.sleep(_PAUSE_SECONDS)
        finally:
            follower.close()


def _begin(
    follower: Follower[int], run: RunDirectory, attempt: AttemptState, ranks: Sequence[int] | None, last: int | None
) -> None:
    for rank in attempt.ranks:
        if ranks is None or rank in ranks:
            path = run.rank_log(attempt.number, rank)
            follower.add(rank, path, 0 if last is None else offset_of_last(path, last))


def _finish(follower: Follower[int], width: int, ranks: Sequence[int] | None = None) -> None:
    """Print what is left of these ranks' logs, or of all."""
    for rank, lines in follower.finish(ranks):
        _write(rank, lines, width)
    sys.stdout.flush()


def _write(rank: int, lines: Sequence[bytes], width: int) -> None:
    if lines:
        sys.stdout.write("".join(f"{prefixed(rank, line, width)}\n" for line in lines))


def _digits(ranks: Sequence[int]) -> int:
    return len(str(max(ranks, default=0)))
