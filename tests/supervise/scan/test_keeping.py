"""Somebody looks through the logs of ranks that have run for some time, and of no others."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from launcher.runs.events import AttemptStarted, Event, ProcessStarted, RunCreated
from launcher.runs.fold import fold
from launcher.runs.store import RunDirectory
from launcher.supervise import on_host
from launcher.supervise.link import LinkLost
from launcher.supervise.scan import keeping


def events(began: float) -> list[Event]:
    return [
        RunCreated(time=began, run="x", name="x", framework="plain", target="CPU", world_size=1, hosts=("h0",)),
        AttemptStarted(time=began, attempt=1, ranks=(0,)),
        ProcessStarted(time=began, host="h0", host_seq=1, attempt=1, name="rank 0", rank=0, pid=1),
    ]


class Host:
    """Answers so often whether it had to start a process, then ends the test."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers = list(answers)
        self.pauses: list[float] = []

    async def there(self, work: object, *_arguments: object) -> object:
        assert work is on_host.see_to_scan
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        if not self.answers or len(self.pauses) > 10:
            raise asyncio.CancelledError


def kept(host: Host, began: float, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses between looks."""
    monkeypatch.setattr(asyncio, "sleep", host.sleep)
    state = fold(events(began))
    keeping_on = keeping.keep_scanning(RunDirectory(Path("/nowhere")), "h0", host.there, lambda: state)
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(keeping_on)
    return host.pauses


def test_a_process_that_ends_again_and_again_is_started_less_and_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(True, True, False, LinkLost("h0"), True)
    assert kept(host, time.time() - 60, monkeypatch) == [2.5, 5.0, 10.0, 2.5, 2.5, 5.0]


def test_ranks_that_have_just_been_launched_need_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(True)
    kept(host, time.time() + 60, monkeypatch)
    assert host.answers
