"""A standstill and a failed rank: which of them an attempt failed of, for the decision and for what people read."""

from __future__ import annotations

from pathlib import Path

import pytest

from launcher.cli.standstills import fatal_hang
from launcher.cli.view import RunView
from launcher.runs.events import AttemptStarted, Event, HangFound, ProcessExited, ProcessStarted, RunCreated
from launcher.runs.fold import fold
from launcher.supervise.failure import failure_of, standstill_of

HUNG = HangFound(time=100, attempt=1, since=40, limit=60, fatal=True, stacks="rank 1 in recv")


def exited(time: float) -> Event:
    return ProcessExited(time=time, host="h0", attempt=1, name="rank 0", rank=0, pid=1, code=1)


@pytest.mark.parametrize(
    ("events", "is_standstill"),
    [
        ([HUNG], True),
        ([HUNG, exited(101)], True),
        ([exited(99), HUNG], False),
        ([exited(99)], False),
        ([HUNG.model_copy(update={"fatal": False}), exited(101)], False),
    ],
)
def test_the_reason_and_the_summary_agree_on_what_an_attempt_failed_of(
    events: list[Event], is_standstill: bool
) -> None:
    state = fold(
        [
            RunCreated(time=0, run="r", name="r", framework="plain", target="CPU", world_size=2, hosts=("h0",)),
            AttemptStarted(time=1, attempt=1, ranks=(0, 1), hosts=("h0",)),
            *(ProcessStarted(time=2, host="h0", attempt=1, name=f"rank {r}", rank=r, pid=1) for r in (0, 1)),
            *events,
        ]
    )
    assert state.attempt is not None
    hang = standstill_of(state, state.attempt)
    assert (hang is not None) is is_standstill
    assert fatal_hang(RunView(Path("r"), state, now=200)) == hang
    failure = failure_of(state, state.attempt)
    assert failure is not None
    assert failure.words.startswith("no rank came on" if is_standstill else "rank 0 failed first")
