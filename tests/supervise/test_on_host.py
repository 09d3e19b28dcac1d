"""What is done on a host for a run that is supervised elsewhere."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import psutil
import pytest

from launcher.errors import InfrastructureError
from launcher.hosts.tagged import DIRECTORY_TAG
from launcher.runs.lock import Lock
from launcher.runs.store import RunDirectory
from launcher.supervise.link import LinkLost, ShimLink, Unlinked
from launcher.supervise.on_host import (
    deliver,
    end_shim,
    forget_shim,
    home_mark,
    is_kept,
    is_shared,
    last_words,
    may_be_kept,
    see_to_shim,
)
from tests.supervise.test_barrier import begin


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """The run's directory on another host, where nothing is yet."""
    return RunDirectory(tmp_path / "home" / "runs" / "test-1a2b")


def test_files_are_delivered_for_their_owner_alone(run: RunDirectory) -> None:
    plan = run.layout.attempt(1).plan
    deliver(run, "a mark", {str(plan): b"{}"})
    assert plan.read_bytes() == b"{}"
    assert plan.stat().st_mode & 0o777 == 0o600
    assert all(folder.stat().st_mode & 0o777 == 0o700 for folder in (run.path, *run.path.parents[:2]))


def test_nothing_is_written_where_the_directory_is_the_homes_own(run: RunDirectory) -> None:
    run.path.mkdir(parents=True)
    mark = home_mark(run)
    assert mark == home_mark(run)
    assert is_shared(run, mark)
    deliver(run, mark, {str(run.layout.attempt(1).plan): b"{}"})
    assert not run.layout.attempts.exists()


def test_a_directory_with_the_mark_of_another_home_is_not_its_own(run: RunDirectory) -> None:
    assert not is_shared(run, "a mark")
    run.path.mkdir(parents=True)
    home_mark(run)
    assert not is_shared(run, "a mark")


def test_a_file_that_cannot_be_written_is_left_as_it_was(run: RunDirectory) -> None:
    plan = run.layout.attempt(1).plan
    deliver(run, "a mark", {str(plan): b"old"})
    plan.with_name("plan.json.partial").mkdir()
    with pytest.raises(InfrastructureError, match="cannot write the files of run test-1a2b"):
        deliver(run, "a mark", {str(plan): b"new"})
    assert plan.read_bytes() == b"old"


def test_a_host_without_a_shim_has_nothing_to_say(run: RunDirectory) -> None:
    assert not is_kept(run, "node-1")
    assert last_words(run, "node-1", 0) == []


def test_what_a_run_left_on_a_host_is_ended_and_nothing_else(run: RunDirectory) -> None:
    def start(directory: Path) -> subprocess.Popen[bytes]:
        tags = {"NPU_LAUNCH_RUN": directory.name, "NPU_LAUNCH_ATTEMPT": "1", DIRECTORY_TAG: str(directory)}
        return subprocess.Popen(["sleep", "1000"], env={**os.environ, **tags}, start_new_session=True)

    living = RunDirectory(run.path.with_name("other-3c4d"))
    living.path.mkdir(parents=True)
    lock = living.lock()
    assert lock.try_acquire()  # it is kept: nobody else on this machine takes what it has for orphans
    left, other = start(run.path), start(living.path)
    try:
        assert end_shim(run, "node-1") == ()
        assert left.wait(10) < 0
        assert other.poll() is None
    finally:
        for process in (left, other):
            process.kill()
            process.wait()
        lock.release()


def test_at_home_work_is_done_here_and_its_errors_are_its_own(run: RunDirectory) -> None:
    link = ShimLink(run.shim_socket("node-0"))
    assert asyncio.run(link.there(os.getpid)) == os.getpid()
    with pytest.raises(FileNotFoundError):
        asyncio.run(link.there(os.listdir, run.path))


def test_without_ray_every_word_to_another_host_is_lost() -> None:
    async def lose() -> None:
        link = Unlinked("node-1")
        for word in (link.events(0), link.send({"op": "leave"}), link.renew(), link.there(os.getpid)):
            with pytest.raises(LinkLost, match="no Ray leads to node-1"):
                await word

    asyncio.run(lose())


def test_of_many_who_want_a_shim_at_once_one_starts_it(home: Path, tmp_path: Path) -> None:
    run = begin(tmp_path, "sleep 1000")

    async def start() -> None:
        await asyncio.gather(*(asyncio.to_thread(see_to_shim, run, "h0", 1, 0, False, True) for _ in range(4)))

    try:
        asyncio.run(asyncio.wait_for(start(), 60))
        kept = [process for process in psutil.process_iter() if str(run.shim_lock("h0")) in _command(process)]
        assert [process.pid for process in kept] == [int(run.shim_lock("h0").read_text())]
    finally:
        end_shim(run, "h0")
        forget_shim(run, "h0")


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def test_a_shim_that_somebody_is_about_to_start_may_be_kept(run: RunDirectory) -> None:
    assert not may_be_kept(run, "node-1")
    starting = Lock(run.shim_lock("node-1").with_name("starting.lock"))
    run.shim_lock("node-1").parent.mkdir(parents=True, exist_ok=True)
    assert starting.try_acquire()
    assert may_be_kept(run, "node-1")
    starting.release()
    assert not may_be_kept(run, "node-1")
