"""What becomes of the job when parts of what supervises it are killed with -9: nothing, it trains on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from launcher.runs.state import RunPhase
from tests.end_to_end import pids
from tests.faults.job import Job, running_job
from tests.faults.parts import Part, kill

LEASE = 2.0  # seconds until the shim sees to it that somebody supervises, when all who did are gone


@dataclass(frozen=True)
class Row:
    """The parts that are killed at once while Ray supervises, and who supervises next; None: who did before."""

    killed: tuple[Part, ...]
    next_supervisor: str | None

    def __str__(self) -> str:
        return " + ".join(part.value for part in self.killed)


# A keeper waits beside a supervisor on Ray, and Ray starts one that was killed again: each takes over from the other.
ONE_AFTER_THE_OTHER = (
    Row((Part.CLI,), None),
    Row((Part.AGENT,), None),
    Row((Part.SUPERVISOR,), "keeper"),
    Row((Part.KEEPER,), "ray"),
)
AT_ONCE = (
    Row((Part.RAYLET,), "keeper"),
    Row((Part.GCS,), "keeper"),
    Row((Part.RAY_HEAD,), "keeper"),
    Row((Part.WHOLE_RAY,), "keeper"),
    Row((Part.AGENT, Part.SUPERVISOR), "keeper"),
    Row((Part.GCS, Part.RAYLET), "keeper"),
    Row((Part.RAY_HEAD, Part.RAY_START), "keeper"),
    Row((Part.WHOLE_RAY, Part.CLI), "keeper"),
    Row((Part.CLI, Part.KEEPER), None),
    Row((Part.SUPERVISOR, Part.KEEPER), "ray"),
    Row((Part.WHOLE_RAY, Part.KEEPER, Part.CLI), "keeper"),
)


def test_training_goes_on_when_parts_are_killed_one_after_the_other(tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home, lease=LEASE) as job:
        job.wait_for_supervisor("ray")
        for witness, row in enumerate(ONE_AFTER_THE_OTHER, start=1):
            _kill_and_go_on(job, row, witness)
        job.finish()
        assert job.end().phase is RunPhase.SUCCEEDED


@pytest.mark.parametrize("row", AT_ONCE, ids=str)
def test_training_goes_on_when_parts_are_killed(row: Row, tmp_path: Path, home: Path) -> None:
    with running_job(tmp_path, home, lease=LEASE) as job:
        job.wait_for_supervisor("ray")
        _kill_and_go_on(job, row, witness=7)
        job.finish()
        state = job.end()
    assert state.phase is RunPhase.SUCCEEDED
    assert len(state.attempts) == 1


def _kill_and_go_on(job: Job, row: Row, witness: int) -> None:
    """Kill the parts; all ranks write on, and of one that then ends the record tells."""
    before = pids(job.run)
    supervisor = job.supervisor
    kill(row.killed, job.home)
    job.wait_for_lines()
    if row.next_supervisor is not None:
        job.wait_for_supervisor(row.next_supervisor, other_than=supervisor)
    job.wait_until_heard(witness)
    assert pids(job.run) == before
    if row.next_supervisor is None:
        assert job.supervisor == supervisor
