"""What becomes of the job when a part dies that it cannot do without, together with one that would see to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.runs.events import Cause
from launcher.runs.state import RankPhase, RunPhase
from tests.end_to_end import pids
from tests.faults.job import RANKS, running_job
from tests.faults.parts import Part, kill

FAULTY = 3
AGAIN = {"policy": "group", "max_restarts": 1, "without_progress": 0}


@dataclass(frozen=True)
class Row:
    """What is killed at once while Ray supervises: rank 3 or not, and these parts."""

    rank: bool
    parts: tuple[Part, ...]

    def __str__(self) -> str:
        return " + ".join([*(["rank"] if self.rank else []), *(part.value for part in self.parts)])


# With the shim its ranks are gone, and nobody can tell how each of them would have ended.
WITH_SHIM = (
    Row(False, (Part.SHIM,)),
    Row(False, (Part.SHIM, Part.AGENT)),
    Row(False, (Part.SHIM, Part.SUPERVISOR)),
    Row(True, (Part.SHIM,)),
    Row(False, (Part.SHIM, Part.WHOLE_RAY)),
)
WITH_RANK = (
    Row(True, (Part.AGENT,)),
    Row(True, (Part.SUPERVISOR,)),
    Row(True, (Part.SUPERVISOR, Part.KEEPER)),
    Row(True, (Part.WHOLE_RAY,)),
)


@pytest.mark.parametrize("row", WITH_SHIM, ids=str)
def test_a_gang_that_lost_its_shim_starts_again_under_another(row: Row, tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home, restart=AGAIN) as job:
        job.wait_for_supervisor("ray")
        before = pids(job.run)
        kill(row.parts, home, *([before[FAULTY]] if row.rank else []))
        job.wait_for_attempt(2)
        assert not set(before.values()) & set(pids(job.run).values())
        job.finish()
        state = job.end()
    assert state.phase is RunPhase.SUCCEEDED
    assert dict(state.spent) == {Cause.INFRASTRUCTURE: 1}


@pytest.mark.parametrize("row", WITH_RANK, ids=str)
def test_a_rank_that_dies_with_its_supervision_is_named_all_the_same(row: Row, tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home) as job:
        job.wait_for_supervisor("ray")
        kill(row.parts, home, pids(job.run)[FAULTY])
        state = job.end()
    assert state.phase is RunPhase.FAILED
    assert job.command.returncode == ExitCode.JOB_FAILED
    assert state.first_failure is not None
    assert state.first_failure.rank == FAULTY
    assert str(state.first_failure.exit) == "killed by SIGKILL"
    assert state.count(RankPhase.STOPPED) == len(RANKS) - 1


def test_a_run_that_lost_everything_at_once_is_told_to_be_lost(tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home) as job:
        job.wait_for_supervisor("ray")
        kill((Part.SHIM, Part.KEEPER, Part.WHOLE_RAY), home)
        state = job.end()
    assert state.phase is RunPhase.LOST
    assert job.command.returncode == ExitCode.INFRASTRUCTURE
    assert state.count(RankPhase.LOST) == len(RANKS)
