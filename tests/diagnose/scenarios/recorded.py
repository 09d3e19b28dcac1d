"""A job's logs as those of one of our runs, with the record that its keepers wrote."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from launcher.planning.model import Target
from launcher.runs.events import AttemptStarted, Event, ProcessExited, ProcessStarted, RunCreated, encode
from launcher.runs.store import RunDirectory
from tests.diagnose.scenarios.job import BEGAN, Job, write

ZERO = BEGAN.timestamp()


def run_of(job: Job, folder: Path, exits: Iterable[Event] = ()) -> RunDirectory:
    """The run, of which each rank has its output and its plog in its own folder."""
    run = RunDirectory(folder / "job-7f3a")
    events: list[Event] = [
        RunCreated(
            time=ZERO,
            run="job-7f3a",
            name="job",
            framework="pytorch",
            target=Target.ASCEND.value,
            world_size=job.world,
            hosts=tuple(job.hosts),
        ),
        AttemptStarted(time=ZERO, attempt=1, ranks=tuple(job.ranks)),
    ]
    for rank in job.ranks:
        place = run.layout.attempt(1).rank(rank)
        write(place.log, job.outputs[rank])
        write(place.cann / f"debug/plog/plog-{job.pid(rank)}_20251028174513679.log", job.plogs[rank])
        events.append(
            ProcessStarted(
                time=ZERO,
                host=job.host(rank),
                attempt=1,
                name=f"rank-{rank}",
                rank=rank,
                pid=job.pid(rank),
                slot=job.device(rank),
            )
        )
    run.layout.events.write_bytes(b"".join(encode(event) for event in (*events, *exits)))
    return run


def exited(job: Job, rank: int, seconds: float, code: int, *, stopped: bool = False, oom: str | None = None) -> Event:
    return ProcessExited(
        time=ZERO + seconds,
        host=job.host(rank),
        attempt=1,
        name=f"rank-{rank}",
        rank=rank,
        pid=job.pid(rank),
        code=code,
        stopped=stopped,
        oom=oom,
    )
