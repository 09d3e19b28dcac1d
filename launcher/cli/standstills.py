"""Ranks that came to a standstill or are slower than the others, in words."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.cli.view import RunView
from launcher.logs.safe import safe_line
from launcher.runs.events import HangFound, StragglerFound
from launcher.supervise.failure import standstill_of

_WIDTH = 300
_STRAGGLERS_SHOWN = 3


def fatal_hang(view: RunView) -> HangFound | None:
    """The standstill for which the last attempt was stopped, if it was."""
    attempt = view.state.attempt
    return None if attempt is None else standstill_of(view.state, attempt)


def cause_of_hang(hang: HangFound) -> Iterator[tuple[str, str]]:
    """Label and text of what a summary says of the standstill that ended an attempt."""
    yield "cause", safe_line(hang.words, _WIDTH)
    if hang.path is not None:
        yield "stacks", safe_line(hang.path)


def standstills(view: RunView) -> Iterator[tuple[str, str]]:
    """Label and text of a standstill that stopped nothing, while no step has been done since, and of slow ranks."""
    attempt = view.state.attempt
    if attempt is None:
        return
    hang = attempt.hang
    if hang is not None and not hang.fatal and (attempt.last_step is None or attempt.last_step.time <= hang.time):
        yield "hang", safe_line(hang.words, _WIDTH)
    slow = [straggler for straggler in view.state.stragglers if straggler.attempt == attempt.number]
    if slow:
        hidden = len(slow) - _STRAGGLERS_SHOWN
        more = f" and {hidden} more" if hidden > 0 else ""
        yield "slow", ", ".join(straggler_words(straggler) for straggler in slow[:_STRAGGLERS_SHOWN]) + more


def straggler_words(straggler: StragglerFound) -> str:
    """`rank 3 takes 1.6 times as long for a step as most`."""
    return f"rank {straggler.rank} takes {straggler.slowdown:.1f} times as long for a step as most"
