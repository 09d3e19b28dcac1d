"""The logs that other hosts write are here, or people are told that they are not."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from launcher.logs.gaps import stored_bytes
from launcher.runs.events import (
    AttemptStarted,
    Event,
    HostFenced,
    HostIdle,
    HostUnreachable,
    Note,
    ProcessExited,
    ProcessStarted,
    RunCreated,
)
from launcher.runs.fold import fold
from launcher.runs.state import RunState
from launcher.runs.store import RunDirectory
from launcher.supervise.link import HostLink, ShimLink
from launcher.supervise.mirror import LogMirror
from tests.supervise.mirror.far_host import FarHost

PLACES = {0: "a", 1: "a", 2: "b", 3: "b", 4: "c"}


class Run:
    """A run at home on host a, whose hosts b and c are other folders."""

    def __init__(self, path: Path) -> None:
        self.directory = RunDirectory(path / "home" / "runs" / "r")
        self.directory.path.mkdir(parents=True)
        self.far = {host: FarHost(path / "home", path / host) for host in "bc"}
        self.links: dict[str, HostLink] = {"a": ShimLink(Path("/none")), **self.far}
        self.notes: list[str] = []
        self.state = RunState()
        ranks = tuple(PLACES)
        self.happen(
            RunCreated(time=1, run="r", name="r", framework="plain", target="CPU", world_size=5, hosts=("a", "b", "c")),
            AttemptStarted(time=2, attempt=1, ranks=ranks, hosts=("a", "b", "c")),
        )
        self.plan(1)
        for rank, host in PLACES.items():
            self.happen(ProcessStarted(time=3, host=host, attempt=1, name=f"rank {rank}", rank=rank, pid=rank + 100))

    def plan(self, attempt: int) -> None:
        path = self.directory.layout.attempt(attempt).plan
        path.parent.mkdir(parents=True)
        ranks = [{"rank": rank, "host": host, "log": str(self.log(rank, attempt))} for rank, host in PLACES.items()]
        service = {"name": "scheduler", "host": "c", "log": str(self.service)}
        path.write_text(json.dumps({"ranks": ranks, "services": [service]}))

    @property
    def service(self) -> Path:
        return self.directory.layout.attempt(1).service("scheduler").log

    def log(self, rank: int, attempt: int = 1) -> Path:
        return self.directory.rank_log(attempt, rank)

    def write(self, path: Path, data: bytes, host: str) -> None:
        there = self.far[host].path(path)
        there.parent.mkdir(parents=True, exist_ok=True)
        with there.open("ab") as log:
            log.write(data)

    def happen(self, *events: Event) -> None:
        self.state = fold(events, self.state)

    def tell(self, note: Note) -> None:
        self.notes.append(note.text)
        self.happen(note)

    def fail(self, rank: int) -> None:
        self.happen(
            ProcessExited(time=4, host=PLACES[rank], name=f"rank {rank}", rank=rank, attempt=1, pid=rank + 100, code=1)
        )

    def end(self) -> None:
        for host in "abc":
            self.happen(HostIdle(time=5, host=host, attempt=1))

    def mirror(self) -> LogMirror:
        """Another supervisor's."""
        return LogMirror(self.directory, lambda: self.state, self.links.get, self.tell)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


@asynccontextmanager
async def following(mirror: LogMirror, *hosts: str) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(mirror.follow(host)) for host in hosts]
    yield
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks)


async def until(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        await asyncio.sleep(0.01)


def has(path: Path, content: bytes) -> Callable[[], bool]:
    return lambda: path.exists() and path.read_bytes() == content


def test_logs_of_ranks_and_services_grow_here_as_they_do_there(run: Run) -> None:
    async def scenario() -> None:
        run.write(run.log(2), b"one\n", "b")
        async with following(run.mirror(), "b", "c"):
            await until(has(run.log(2), b"one\n"))
            run.write(run.log(2), b"two\n", "b")
            run.write(run.service, b"scheduling\n", "c")
            await until(has(run.log(2), b"one\ntwo\n"))
            await until(has(run.service, b"scheduling\n"))

    asyncio.run(scenario())
    assert not run.log(0).exists()
    assert run.notes == []


def test_whoever_takes_over_goes_on_where_the_copy_ends(run: Run) -> None:
    run.write(run.log(2), b"one\ntwo\n", "b")
    run.log(2).parent.mkdir(parents=True)
    run.log(2).write_bytes(b"one\n")

    async def scenario() -> None:
        async with following(run.mirror(), "b"):
            await until(has(run.log(2), b"one\ntwo\n"))

    asyncio.run(scenario())


def test_the_log_of_a_rank_that_failed_is_whole_before_its_end_is_judged(run: Run) -> None:
    run.write(run.log(3), b"x" * (9 << 20) + b"\nImportError: gone\n", "b")
    run.fail(3)
    assert asyncio.run(run.mirror().last_lines(3, 1)) == [b"ImportError: gone"]
    assert run.log(3).stat().st_size == run.far["b"].path(run.log(3)).stat().st_size


def test_a_copy_takes_no_more_than_a_log_may(run: Run) -> None:
    plan = run.directory.layout.attempt(1).plan
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "log_limit": 1 << 20}))
    run.write(run.log(3), b"noise\n" * 500_000 + b"ImportError: gone\n", "b")
    run.fail(3)
    assert asyncio.run(run.mirror().last_lines(3, 1)) == [b"ImportError: gone"]
    assert run.log(3).stat().st_size == run.far["b"].path(run.log(3)).stat().st_size
    assert stored_bytes(run.log(3).stat()) <= 1 << 20


def test_the_end_of_a_log_that_is_too_long_to_copy_is_looked_at_where_it_is(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("launcher.supervise.mirror.logs._HURRY_MOST", 1 << 10)
    monkeypatch.setattr("launcher.supervise.mirror.logs._HURRY_CALL", 1 << 10)
    run.write(run.log(3), b"x\n" * 3000 + b"ImportError: gone\n", "b")
    run.fail(3)
    mirror = run.mirror()
    assert asyncio.run(mirror.last_lines(3, 1)) == [b"ImportError: gone"]
    assert run.log(3).stat().st_size == 1 << 10
    run.end()
    asyncio.run(mirror.settle())
    told = "not copied here to its end: the log of rank 3 (2048 of 6018 bytes): the rest is on b"
    assert run.notes == [told]


def test_the_end_of_a_log_at_home_costs_no_call(run: Run) -> None:
    run.log(0).parent.mkdir(parents=True)
    run.log(0).write_bytes(b"a\nb\n")
    run.fail(0)
    assert asyncio.run(run.mirror().last_lines(0, 1)) == [b"b"]
    assert not run.far["b"].calls


def test_when_an_attempt_is_over_its_logs_are_whole(run: Run) -> None:
    for rank in (2, 3):
        run.write(run.log(rank), b"%d\n" % rank * 1000, "b")
    run.write(run.log(4), b"last\n", "c")
    mirror = run.mirror()
    asyncio.run(mirror.settle())
    assert not run.log(4).exists(), "nothing is over yet"
    run.end()
    asyncio.run(mirror.settle())
    assert run.log(2).read_bytes() == b"2\n" * 1000
    assert run.log(4).read_bytes() == b"last\n"
    assert run.notes == []
    calls = len(run.far["b"].calls)
    asyncio.run(mirror.settle())
    assert len(run.far["b"].calls) == calls


def test_what_a_lost_host_has_not_sent_is_told_of_once_whoever_supervises(run: Run) -> None:
    async def scenario() -> None:
        run.write(run.log(2), b"one\n", "b")
        mirror = run.mirror()
        async with following(mirror, "b"):
            await until(has(run.log(2), b"one\n"))
            run.far["b"].lost = True
        run.happen(HostUnreachable(time=6, host="b", heard=5), *(HostIdle(time=7, host=h, attempt=1) for h in "ac"))
        run.happen(HostFenced(time=9, host="b", attempt=1))
        await mirror.settle()
        await run.mirror().settle()

    asyncio.run(scenario())
    told = "not copied here to their ends: the logs of rank 2 (4 bytes), rank 3 (0 bytes): host b was lost"
    assert run.notes == [told]


def test_a_host_that_comes_back_still_brings_what_was_missing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.supervise.mirror.logs._RETRY", 0.01)

    async def scenario() -> None:
        run.far["b"].lost = True
        async with following(run.mirror(), "b"):
            run.write(run.log(2), b"one\n", "b")
            await until(lambda: run.far["b"].refused > 1)
            run.far["b"].lost = False
            await until(has(run.log(2), b"one\n"))

    asyncio.run(scenario())


def test_a_log_that_was_cut_short_there_keeps_here_what_it_had(run: Run) -> None:
    run.write(run.log(2), b"new\n", "b")
    run.log(2).parent.mkdir(parents=True)
    run.log(2).write_bytes(b"what was lost there\n")

    async def scenario() -> None:
        async with following(run.mirror(), "b"):
            await until(lambda: bool(run.notes))

    asyncio.run(scenario())
    assert run.log(2).read_bytes() == b"what was lost there\n"
    assert run.notes == ["the log of rank 2 was cut short on b: here is what had been copied before"]


def test_the_logs_of_the_next_attempt_are_followed_too(run: Run) -> None:
    async def scenario() -> None:
        mirror = run.mirror()
        async with following(mirror, "b"):
            run.end()
            await mirror.settle()
            run.plan(2)
            run.happen(AttemptStarted(time=10, attempt=2, ranks=tuple(PLACES), hosts=("a", "b", "c")))
            run.write(run.log(3, 2), b"again\n", "b")
            await until(has(run.log(3, 2), b"again\n"))

    asyncio.run(scenario())


def test_a_host_that_has_the_same_folder_is_asked_once_and_nothing_is_written(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.far["b"] = run.links["b"] = FarHost(tmp_path / "home", tmp_path / "home")
    run.write(run.log(2), b"one\n", "b")
    run.end()
    asyncio.run(run.mirror().settle())
    assert run.far["b"].calls == ["is_shared"]
    assert run.notes == []


def test_whatever_is_wrong_with_one_log_the_others_are_copied(run: Run) -> None:
    run.far["b"].path(run.log(2)).mkdir(parents=True)
    run.write(run.log(3), b"fine\n", "b")

    async def scenario() -> None:
        async with following(run.mirror(), "b"):
            await until(has(run.log(3), b"fine\n"))

    asyncio.run(scenario())
