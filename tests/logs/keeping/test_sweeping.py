"""A sweep lets go what was decided, compresses the rest, and touches nothing that it should not."""

from __future__ import annotations

import io
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from launcher.cli.main import main
from launcher.logs.keeping import packing, sweeping
from launcher.logs.keeping.deciding import Action, Decision, KeptRun, decide
from launcher.logs.keeping.due import is_due, stamp
from launcher.logs.keeping.limits import Keep
from launcher.logs.keeping.packing import pack, pack_cut
from launcher.logs.keeping.sweeping import plan_sweep, sweep
from launcher.logs.packed import open_log
from launcher.runs.home import home
from launcher.runs.lock import Lock
from launcher.runs.pointer import At, move, point, pointed_at
from launcher.runs.store import RunDirectory
from tests.cli.conftest import Author, WrittenRun

DAY = 86400.0
LATER = 100 * DAY  # seconds after now
NOTHING = Keep(0, None)


def swept(keep: Keep, later: float = LATER) -> dict[str, Action]:
    done: list[Decision] = []
    assert sweep(keep, time.time() + later, done.append)
    return {decision.run: decision.action for decision in done}


@pytest.fixture
def old(author: Author) -> WrittenRun:
    """A run that ended well, and a later one, which is held because it is the latest."""
    old = author.succeeded("old")
    later = author.run("latest", age=-10)
    later.starts()
    later.exits(0, 1, 2, 3)
    later.ends("succeeded")
    return old


def test_a_run_that_is_too_old_goes_whole(old: WrittenRun) -> None:
    assert swept(Keep(None, DAY)) == {old.id: Action.REMOVE}
    assert not old.directory.path.exists()
    assert not (home() / "runs" / ".removed").exists()


def test_the_latest_run_stays_whatever_the_limits(old: WrittenRun) -> None:
    assert old.id in swept(NOTHING)
    assert len(list((home() / "runs").iterdir())) == 1  # the latest


def test_files_of_the_user_stay_with_the_record(old: WrittenRun) -> None:
    checkpoint = old.directory.path / "checkpoints" / "last.ckpt"
    checkpoint.parent.mkdir()
    checkpoint.write_text("weights")
    assert swept(NOTHING) == {old.id: Action.REMOVE}
    assert checkpoint.read_text() == "weights"
    assert old.directory.layout.events.exists()
    assert not old.directory.rank_log(1, 0).exists()
    assert swept(NOTHING) == {}


def test_a_link_in_a_run_is_not_followed(old: WrittenRun, tmp_path: Path) -> None:
    outside = tmp_path / "outside.log"
    outside.write_text("mine")
    (old.directory.layout.attempt(1).rank(0).directory / "stdout.log.1").symlink_to(outside)
    swept(NOTHING)
    assert outside.read_text() == "mine"


def test_a_run_that_lives_elsewhere_is_not_touched(old: WrittenRun) -> None:
    move(old.directory, At(host="node-b", python="python", home="/home/x", machine="another"))
    assert swept(NOTHING) == {}


def test_a_run_whose_record_is_kept_for_another_host_does_not_go_for_want_of_room(old: WrittenRun) -> None:
    (old.directory.path / "mirror.json").write_text("{}")
    assert swept(NOTHING) == {}


@pytest.fixture
def part(old: WrittenRun) -> WrittenRun:
    """What is on a host of a run whose home is another: what its ranks wrote, and what its shim did."""
    for path in (old.directory.layout.run, old.directory.layout.events):
        path.unlink()
    lock = old.directory.shim_lock("node-b")
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.write_text("1\n")
    old.writes(0, *["noise"] * 500_000, "ERROR: the cause", *["noise"] * 500_000)
    return old


def test_what_a_run_has_left_on_a_host_goes_by_its_age_alone_like_a_failed_one(part: WrittenRun) -> None:
    assert swept(NOTHING) == {}
    assert swept(Keep(None, 200 * DAY)) == {}
    assert swept(Keep(None, 60 * DAY)) == {part.id: Action.CUT}
    assert not part.directory.rank_log(1, 0).exists()
    assert swept(Keep(None, 40 * DAY)) == {part.id: Action.REMOVE}
    assert not part.directory.path.exists()


def test_what_a_run_that_is_alive_has_on_a_host_is_not_touched(part: WrittenRun) -> None:
    lock = Lock(part.directory.shim_lock("node-b"))
    assert lock.try_acquire()
    try:
        assert swept(Keep(0, DAY)) == {}
    finally:
        lock.release()


def noted_elsewhere() -> RunDirectory:
    """A run that lives on another host, of which this machine knows that alone."""
    at = At(host="node-1", python="python", home="/root/.npu-launch")
    return point("noted-1a2b", "noted", time.time(), "name: noted\n", "name: one\n", at)


def test_a_note_of_where_a_run_lives_stays_and_keeps_the_latest_from_nothing(old: WrittenRun) -> None:
    noted = noted_elsewhere()
    assert swept(Keep(0, DAY)) == {old.id: Action.REMOVE}
    assert pointed_at(noted) is not None
    assert len(list((home() / "runs").iterdir())) == 2  # with the latest that ran here


def test_a_copy_of_a_record_goes_by_its_age_with_its_note(old: WrittenRun) -> None:
    noted = noted_elsewhere()
    (noted.path / "mirror.json").write_text("{}")
    assert swept(Keep(None, 60 * DAY)) == {old.id: Action.REMOVE}
    assert swept(Keep(None, 40 * DAY)) == {noted.id: Action.REMOVE}
    assert not noted.path.exists()


def test_a_run_whose_record_cannot_be_read_is_not_touched(old: WrittenRun) -> None:
    old.directory.layout.events.write_bytes(b"\0\0\0")
    assert swept(NOTHING) == {}


def test_a_run_that_somebody_supervises_is_not_touched(old: WrittenRun) -> None:
    lock = old.directory.lock()
    assert lock.try_acquire()
    try:
        assert swept(NOTHING) == {}
    finally:
        lock.release()


def test_a_run_that_has_just_ended_is_left_as_it_is(old: WrittenRun) -> None:
    old.writes(0, *["line"] * 50_000)
    assert swept(NOTHING, later=-600) == {}
    assert old.directory.rank_log(1, 0).exists()


def test_a_failed_run_keeps_its_errors_when_its_logs_are_cut(author: Author) -> None:
    failed = author.failed()
    failed.writes(0, *["noise"] * 500_000, "ERROR: the cause", *["noise"] * 500_000)
    author.run("latest", age=-10).ends("succeeded")
    assert swept(Keep(None, 60 * DAY)) == {failed.id: Action.CUT}
    log = failed.directory.rank_log(1, 0)
    assert not log.exists()
    with open_log(log) as file:
        lines = file.readlines()
    assert sum(map(len, lines)) <= 1 << 20
    assert b"ERROR: the cause\n" in lines
    assert any(b"npu-launch left out" in line for line in lines)
    assert swept(Keep(None, 60 * DAY)) == {}


def test_logs_of_runs_that_stay_are_compressed_and_read_the_same(
    old: WrittenRun, capsys: pytest.CaptureFixture[str]
) -> None:
    log = old.writes(3, *[f"a line that repeats itself {number % 7}" for number in range(20_000)])
    before = log.read_bytes()
    swept(Keep(None, None))
    assert not log.exists()
    assert log.with_name("stdout.log.zst").stat().st_mode & 0o777 == 0o600
    with open_log(log) as file:
        assert file.read() == before
    assert main(["logs", old.id, "-n", "1", "--rank", "3"]) == 0
    assert "a line that repeats itself" in capsys.readouterr().out


def test_a_log_that_changes_while_it_is_compressed_is_left_as_it_is(
    old: WrittenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = old.writes(0, *["line"] * 20_000)
    read = packing._all

    def and_grows(file: io.BufferedReader) -> Iterator[bytes]:
        yield from read(file)
        old.writes(0, "one more")

    monkeypatch.setattr(packing, "_all", and_grows)
    pack(log)
    assert log.read_bytes().endswith(b"one more\n")
    assert sorted(path.name for path in log.parent.iterdir()) == ["stdout.log"]


_INTERRUPTED = """
import os, sys, time
from launcher.logs.keeping import sweeping
from launcher.logs.keeping.limits import Keep
def die(*_): os._exit(9)
if sys.argv[1] == "remove":
    sweeping._empty = lambda folder, empty=sweeping._empty: die() if folder.exists() else empty(folder)
else:
    os.fsync = die
sweeping.sweep(Keep(0 if sys.argv[1] == "remove" else None, None), time.time() + 9e6, lambda _: None)
"""


@pytest.mark.parametrize("when", ("remove", "compress"))
def test_the_next_sweep_ends_what_a_crash_interrupted(old: WrittenRun, when: str) -> None:
    log = old.writes(0, *["line"] * 20_000)
    content = log.read_bytes()
    assert subprocess.run([sys.executable, "-c", _INTERRUPTED, when], check=False).returncode == 9
    if when == "compress":
        assert log.read_bytes() == content
    swept(Keep(0 if when == "remove" else None, None))
    assert not (home() / "runs" / ".removed").exists()
    assert not list(home().rglob("*.partial"))
    if when == "compress":
        with open_log(log) as file:
            assert file.read() == content


def test_a_run_that_was_started_again_since_it_was_looked_at_is_not_touched(
    old: WrittenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def and_it_starts_again(runs: Sequence[KeptRun], keep: Keep, now: float) -> tuple[Decision, ...]:
        old.starts()
        return decide(runs, keep, now)

    monkeypatch.setattr(sweeping, "decide", and_it_starts_again)
    assert swept(NOTHING) == {}
    assert old.directory.rank_log(1, 0).exists()


def test_what_a_shim_writes_to_since_it_was_looked_at_is_not_touched(
    part: WrittenRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock(part.directory.shim_lock("node-b"))

    def and_a_shim_starts(runs: Sequence[KeptRun], keep: Keep, now: float) -> tuple[Decision, ...]:
        assert lock.try_acquire()
        return decide(runs, keep, now)

    monkeypatch.setattr(sweeping, "decide", and_a_shim_starts)
    try:
        assert swept(Keep(None, 40 * DAY)) == {}
    finally:
        lock.release()
    assert part.directory.path.exists()


def test_two_sweeps_do_not_meet(old: WrittenRun) -> None:
    met = []

    def while_the_first_works(_: Decision) -> None:
        met.append(sweep(NOTHING, time.time() + LATER, lambda _: None))

    assert sweep(NOTHING, time.time() + LATER, while_the_first_works)
    assert met == [False]


def test_a_sweep_is_due_an_hour_after_the_last_and_never_in_a_new_home(author: Author) -> None:
    home().mkdir(parents=True)
    assert not is_due(time.time())
    stamp(time.time() - 3601)
    assert is_due(time.time())
    stamp(time.time())
    assert not is_due(time.time())


def test_prune_says_what_goes_and_with_dry_run_lets_nothing_go(
    old: WrittenRun, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NPU_LAUNCH_KEEP", "0d")
    monkeypatch.setattr(sweeping, "inventory", lambda now, real=sweeping.inventory: real(now + LATER))
    assert main(["prune", "--dry-run"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{old.id}: remove, ")
    assert "would free" in err
    assert old.directory.path.exists()
    assert main(["prune"]) == 0
    assert capsys.readouterr().out == out
    assert not old.directory.path.exists()


def test_a_plan_that_lies_below_a_link_is_not_cut(old: WrittenRun, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    old.directory.path.rename(moved)
    old.directory.path.symlink_to(moved)
    assert plan_sweep(NOTHING, time.time() + LATER) == ()


def test_what_is_cut_twice_is_cut_once(old: WrittenRun) -> None:
    log = old.writes(0, *["noise"] * 500_000)
    pack_cut(log, 100_000)
    compressed = log.with_name("stdout.log.zst")
    with open_log(log) as file:
        once = file.read()
    pack_cut(compressed, 100_000)
    with open_log(log) as file:
        assert file.read() == once
