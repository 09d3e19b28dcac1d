"""What becomes of the job when one of its ranks is at fault."""

from __future__ import annotations

import os
import resource
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from launcher.errors import ExitCode
from launcher.runs.events import HostBack, HostSuspected, ProcessExited
from launcher.runs.state import RankPhase, RunPhase
from tests.conftest import SmallDisk
from tests.end_to_end import is_alive, pids, wait_for
from tests.faults.job import RANKS, Job, running_job
from tests.faults.parts import Part, find

FAULTY = 3
OTHERS = tuple(rank for rank in RANKS if rank != FAULTY)
AGAIN = {"policy": "group", "max_restarts": 1, "without_progress": 0}


@dataclass(frozen=True)
class Row:
    """What rank 3 does, and what is said of it; the others are stopped."""

    fault: str
    verdict: str
    evidence: str | None = None


FATAL = (
    Row("exits", "exit code 7"),
    Row("is killed", "killed by SIGKILL"),
    Row("crashes", "killed by SIGSEGV"),
    Row("exhausts descriptors", "exit code 1", "Too many open files"),
)


def strike(job: Job, fault: str) -> None:
    """Have rank 3 fail."""
    if fault == "is killed":
        os.kill(pids(job.run)[FAULTY], signal.SIGKILL)
    else:
        job.tell(FAULTY, fault)


@pytest.mark.parametrize("row", FATAL, ids=lambda row: row.fault)
def test_a_rank_that_fails_ends_its_gang_and_is_named(row: Row, tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home) as job:
        strike(job, row.fault)
        state = job.end()
    assert state.phase is RunPhase.FAILED
    assert job.command.returncode == ExitCode.JOB_FAILED
    assert state.first_failure is not None
    assert state.first_failure.rank == FAULTY
    assert str(state.first_failure.exit) == row.verdict
    assert f"rank {FAULTY}" in job.said
    assert row.verdict in job.said
    assert state.ranks_in(RankPhase.STOPPED) == OTHERS
    if row.evidence is not None:
        assert state.first_failure.failure is not None
        assert row.evidence in str(state.first_failure.failure.evidence)


@pytest.mark.parametrize("fault", ["exits", "is killed"])
def test_a_rank_that_fails_is_started_again_with_its_gang(fault: str, tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home, restart=AGAIN) as job:
        strike(job, fault)
        job.wait_for_attempt(2)
        job.finish()
        state = job.end()
    assert state.phase is RunPhase.SUCCEEDED
    assert [attempt.first_failure for attempt in state.attempts] == [FAULTY, None]


def test_ranks_without_a_gang_are_started_again_beside_the_others(tmp_path: Path, home: Path) -> None:
    faulty = (FAULTY, 5)
    others = tuple(rank for rank in RANKS if rank not in faulty)
    with running_job(tmp_path, home, gang=False, restart={"policy": "ranks", "max_restarts": 2}) as job:
        before = pids(job.run)
        for rank in faulty:
            os.kill(before[rank], signal.SIGKILL)
        wait_for(lambda: all(job.wrote(rank, 2) + job.wrote(rank, 3) > 3 for rank in faulty), "both write again")
        job.wait_for_lines(*others)
        after = pids(job.run)
        assert [after[rank] for rank in others] == [before[rank] for rank in others]
        job.finish()
        state = job.end()
    assert state.phase is RunPhase.SUCCEEDED
    assert sorted(attempt.ranks for attempt in state.attempts) == [tuple(RANKS), (FAULTY,), (5,)]


def test_a_rank_that_ignores_sigterm_is_killed_and_not_blamed(tmp_path: Path, home: Path) -> None:
    deaf = 5
    with running_job(tmp_path, home) as job:
        job.tell(deaf, "ignores SIGTERM")
        job.wait_for_lines()
        strike(job, "exits")
        state = job.end()
    assert state.first_failure is not None
    assert state.first_failure.rank == FAULTY
    assert state.ranks[deaf].phase is RankPhase.STOPPED
    assert str(state.ranks[deaf].exit) == "killed by SIGKILL"


def test_a_rank_that_is_suspended_is_found_and_its_gang_stopped(tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home, ring=True, hang={"seconds": 2, "first_step": 2, "policy": "stop"}) as job:
        os.kill(pids(job.run)[FAULTY], signal.SIGSTOP)
        state = job.end()
    assert state.phase is RunPhase.FAILED
    assert job.command.returncode == ExitCode.JOB_FAILED
    assert state.attempt is not None and state.attempt.hang is not None
    assert state.attempt.hang.odd == (FAULTY,)
    assert state.count(RankPhase.STOPPED) == len(RANKS)
    assert f"rank {FAULTY} stopped (SIGSTOP)" in job.said


@pytest.mark.parametrize("fate", ["exits", "ends well"])
def test_what_a_rank_leaves_behind_ends_with_the_job(fate: str, tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home) as job:
        job.tell(FAULTY, "leaves daemons")
        wait_for(lambda: len(job.daemons()) == 2, "the daemons are there")
        if fate == "exits":
            strike(job, fate)
        else:
            job.finish()
        state = job.end()
    assert state.phase is (RunPhase.FAILED if fate == "exits" else RunPhase.SUCCEEDED)


def test_a_rank_that_closes_its_output_goes_on(tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home) as job:
        before = pids(job.run)
        job.tell(FAULTY, "closes stdout")
        job.wait_for_lines(*OTHERS)
        assert pids(job.run) == before
        job.finish()
        state = job.end()
    assert state.phase is RunPhase.SUCCEEDED


def test_a_rank_that_fills_the_disk_fails_and_nothing_told_is_lost(
    tmp_path: Path, small_disk: SmallDisk, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(small_disk.path / "home"))
    with running_job(tmp_path, small_disk.path / "home") as job:
        ranks = pids(job.run).values()
        checkpoint = job.run.layout.attempt(1).rank(FAULTY).work / "checkpoint"
        for path in (job.run.layout.events, job.run.shim_journal(job.run.state().hosts[0])):
            _fill_page(path)
        job.tell(FAULTY, "fills the disk")
        wait_for(lambda: not any(map(is_alive, ranks)), "all ranks have ended")
        assert not any(isinstance(event, ProcessExited) for event in job.events())
        checkpoint.unlink()
        state = job.end(journal_is_whole=False)
    assert state.phase is RunPhase.FAILED
    assert state.first_failure is not None
    assert str(state.first_failure.exit) == "exit code 1"
    assert state.count(RankPhase.FAILED) + state.count(RankPhase.STOPPED) == len(RANKS)


def _fill_page(path: Path) -> None:
    """Have the next event need room on the disk; an empty line is no event."""
    with path.open("ab") as file:
        file.write(b"\n" * (-path.stat().st_size % resource.getpagesize()))


def free_from(process: psutil.Process) -> int:
    """How many descriptors a process has when nobody asks it anything: each who does has one for a moment."""
    counts = []
    for _ in range(20):
        counts.append(process.num_fds())
        time.sleep(0.05)
    return min(counts)


def test_a_shim_without_a_descriptor_left_keeps_its_ranks_and_costs_no_processor(tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home) as job:
        before = pids(job.run)
        (shim,) = map(psutil.Process, find(Part.SHIM, home))
        used = sum(shim.cpu_times())
        resource.prlimit(shim.pid, resource.RLIMIT_NOFILE, (free_from(shim), 4096))
        wait_for(lambda: any(isinstance(e, HostSuspected) for e in job.events()), "the supervisor is turned away")
        job.wait_for_lines()
        assert pids(job.run) == before
        assert sum(shim.cpu_times()) - used < 0.5
        resource.prlimit(shim.pid, resource.RLIMIT_NOFILE, (4096, 4096))
        wait_for(lambda: any(isinstance(e, HostBack) for e in job.events()), "the host is back")
        job.finish()
        state = job.end()
    assert state.phase is RunPhase.SUCCEEDED
