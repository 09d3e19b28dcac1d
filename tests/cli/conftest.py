"""Runs written by hand, as records and logs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from launcher.runs.events import (
    AttemptStarted,
    Event,
    GangStopping,
    HostIdle,
    ProcessExited,
    ProcessStarted,
    RunCreated,
    RunEnded,
)
from launcher.runs.store import RunDirectory, create_run

_NO_PROCESS = 1 << 22  # Linux gives lower ids than that: what runs on this machine is no rank


@dataclass
class WrittenRun:
    """A run directory that a test writes as a supervisor and its ranks would."""

    directory: RunDirectory
    ranks: int
    time: float
    host: str = "node-a"
    attempt: int = 0
    pids: dict[int, int] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return self.directory.id

    def happens(self, *events: Event) -> None:
        with self.directory.writer() as writer:
            assert writer.append(events) is None

    def starts(
        self,
        ranks: Sequence[int] | None = None,
        resume_from: str | None = None,
        *,
        gang: bool = True,
        max_restarts: int | None = None,
        metrics: tuple[str, ...] | None = None,
        own_checkpoints: tuple[str, ...] | None = None,
        combinations: Sequence[Mapping[str, object]] = (),
    ) -> None:
        """The next attempt, a second after what was before; `combinations` are those of a sweep, by rank."""
        self.attempt += 1
        self.time += 1
        chosen = tuple(range(self.ranks)) if ranks is None else tuple(ranks)
        plan = {"grace": 10.0, "ranks": [{"rank": rank, "host": self.host, "device": rank} for rank in chosen]}
        if combinations:
            plan["ranks"] = [{**known, "combination": combinations[known["rank"]]} for known in plan["ranks"]]
        path = self.directory.layout.attempt(self.attempt).plan
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(plan))
        self.happens(
            AttemptStarted(
                time=self.time,
                attempt=self.attempt,
                ranks=chosen,
                resume_from=resume_from,
                gang=gang,
                max_restarts=max_restarts,
                metrics=metrics,
                own_checkpoints=own_checkpoints,
            ),
            *(
                ProcessStarted(
                    time=self.time,
                    attempt=self.attempt,
                    name=f"rank {rank}",
                    rank=rank,
                    pid=_NO_PROCESS + rank,
                    host=self.host,
                )
                for rank in chosen
            ),
        )

    def writes(self, rank: int, *lines: str | bytes) -> Path:
        """Lines of a rank's log."""
        log = self.directory.rank_log(self.attempt, rank)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as file:
            file.writelines((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in lines)
        return log

    def trains(self, rank: int, steps: int, of: int = 40, digest: str = "ab") -> None:
        """A log of so many steps; with weights when these are all."""
        lines = [f"training: epochs: 2, steps per epoch: {of // 2}, batch per rank: 4, ranks: {self.ranks}"]
        lines += [
            f"epoch: {step // (of // 2) + 1} step: {step % (of // 2) + 1}, loss is {2 / (step + 1)}"
            for step in range(steps)
        ]
        if steps == of:
            lines += [f"weights sha256: {digest * 32} step: {of}"]
        self.writes(rank, *lines)

    def exits(self, *ranks: int, code: int = 0, stopped: bool = False, error: str | None = None) -> None:
        self.time += 1
        self.happens(
            *(
                ProcessExited(
                    time=self.time,
                    attempt=self.attempt,
                    name=f"rank {rank}",
                    rank=rank,
                    pid=_NO_PROCESS + rank,
                    code=code,
                    stopped=stopped,
                    error=error,
                    host=self.host,
                )
                for rank in ranks
            )
        )

    def stops(self, reason: str) -> None:
        self.happens(GangStopping(time=self.time, attempt=self.attempt, reason=reason, host=self.host))

    def idles(self) -> None:
        """No process of the attempt is left."""
        self.happens(HostIdle(time=self.time, attempt=self.attempt, host=self.host))

    def ends(self, outcome: str, reason: str = "") -> None:
        self.happens(
            HostIdle(time=self.time, attempt=self.attempt, host=self.host),
            RunEnded(time=self.time, outcome=outcome, reason=reason),
        )


class Author:
    """Writes runs into the home of a test."""

    def run(self, name: str = "job", ranks: int = 4, age: float = 1000.0, framework: str = "mindspore") -> WrittenRun:
        created = time.time() - age
        directory = create_run(name, "name: job\n", "name: here\n", created)
        run = WrittenRun(directory, ranks, created)
        run.happens(
            RunCreated(
                time=created,
                run=directory.id,
                name=name,
                framework=framework,
                target="Ascend",
                world_size=ranks,
                hosts=(run.host,),
            )
        )
        return run

    def succeeded(self, name: str = "job", ranks: int = 4) -> WrittenRun:
        run = self.run(name, ranks)
        run.starts()
        for rank in range(ranks):
            run.trains(rank, 40)
        run.time += 60
        run.exits(*range(ranks))
        run.ends("succeeded", f"all {ranks} ranks ended with exit code 0")
        return run

    def failed(self, name: str = "job", ranks: int = 4, first: int = 2) -> WrittenRun:
        """Rank `first` fails after 31 steps; of the others one fails in its wake, the rest is stopped."""
        run = self.run(name, ranks)
        run.starts()
        for rank in range(ranks):
            run.trains(rank, 31)
        run.writes(first, "Traceback (most recent call last):", b"\x1b[31mRuntimeError: boom [bold]x[/bold]\x1b[0m")
        run.time += 60
        run.exits(first, code=1)
        run.stops(f"rank {first} failed")
        others = [rank for rank in range(ranks) if rank != first]
        run.exits(others[0], code=-6)
        run.exits(*others[1:], code=-15, stopped=True)
        run.ends("failed", f"rank {first} failed first (exit code 1)")
        return run


@pytest.fixture
def author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Author:
    """A home with no runs, and somebody who writes some."""
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path / "home"))
    return Author()
