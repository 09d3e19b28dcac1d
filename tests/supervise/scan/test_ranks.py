"""Whose logs are looked through, and what of them is told, by what the shim tells."""

from __future__ import annotations

from pathlib import Path

from launcher.diagnose.finding import Category, Confidence, Evidence, Finding, Role
from launcher.logs.record import LogFile, Source
from launcher.runs.events import Event, FaultSeen, GangStopping, HostIdle, ProcessExited, ProcessStarted
from launcher.supervise.scan.ranks import HostRanks


def finding(rank: int, cause: str = "device_oom", attempt: int = 1) -> Finding:
    file = LogFile(Path("log"), "log", Source.STDOUT, attempt, rank=rank)
    shown = (Evidence("log", 1, "text"),)
    return Finding(cause, Category.MEMORY, Role.ROOT_CANDIDATE, "r", Confidence.HIGH, 80, shown, {}, file, rank=rank)


def started(rank: int, attempt: int = 1) -> Event:
    return ProcessStarted(time=1.0, attempt=attempt, name=f"rank-{rank}", rank=rank, pid=1)


def exited(rank: int) -> Event:
    return ProcessExited(time=2.0, attempt=1, name=f"rank-{rank}", rank=rank, pid=1, code=0)


def ranks_of(*events: Event) -> HostRanks:
    ranks = HostRanks()
    ranks.take_in(events)
    return ranks


def test_a_cause_is_told_once_for_a_rank_and_for_few_ranks() -> None:
    ranks = ranks_of(*(started(rank) for rank in range(8)))
    assert [ranks.are_to_tell(finding(rank)) for rank in (0, 0, 1, 2, 3)] == [True, False, True, True, False]
    assert ranks.are_to_tell(finding(0, "aicore_exception"))


def test_an_attempt_fills_the_record_with_so_many_faults_at_most() -> None:
    ranks = ranks_of(started(0))
    assert sum(ranks.are_to_tell(finding(0, f"cause_{number}")) for number in range(50)) == 20


def test_what_the_shim_has_written_down_is_not_told_again() -> None:
    told = FaultSeen(
        time=1.0, attempt=1, rank=0, cause="device_oom", category="memory", words="", file="log", line=1, text=""
    )
    ranks = ranks_of(started(0), told, exited(0), HostIdle(time=3.0, attempt=1), started(0, attempt=2))
    assert not ranks.are_to_tell(finding(0)), "it is of an attempt that is over"
    assert ranks.are_to_tell(finding(0, attempt=2))
    assert not ranks_of(started(0), told).are_to_tell(finding(0))


def test_what_a_rank_says_at_its_end_is_for_the_diagnosis() -> None:
    ranks = ranks_of(started(0), started(1), exited(0))
    assert (ranks.running, ranks.is_over) == ({1: 1}, False)
    ranks.take_in([GangStopping(time=2.0, attempt=1, reason="rank 0 failed")])
    assert not ranks.are_to_tell(finding(1))
    ranks.take_in([HostIdle(time=3.0, attempt=1)])
    assert ranks.is_over
    assert not ranks_of(started(0), HostIdle(time=3.0, attempt=1)).is_over
