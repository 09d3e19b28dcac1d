"""A diagnosis is made once, by whoever comes first, and kept beside the logs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from launcher.diagnose.diagnosis import Diagnosis
from launcher.diagnose.kept import keep, kept, make_once
from launcher.diagnose.loading import rulebook
from launcher.diagnose.verdict import Subject, Verdict
from launcher.diagnose.wording import verdict
from launcher.runs.store import RunDirectory


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    directory = RunDirectory(tmp_path / "job-1a2b")
    directory.layout.attempt(1).directory.mkdir(parents=True)
    return directory


def healthy(name: str = "job-1a2b") -> Verdict:
    return verdict(Subject(kind="run", name=name, attempt=1), Diagnosis(None), rulebook())


def test_what_is_kept_is_read_as_it_was(run: RunDirectory) -> None:
    assert kept(run, 1) is None
    keep(run, 1, healthy())
    assert kept(run, 1) == healthy()


def test_two_who_want_it_at_once_make_it_once(run: RunDirectory) -> None:
    made: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def make() -> Verdict:
        made.append(1)
        begun.set()
        assert go_on.wait(10)
        return healthy()

    found: list[Verdict] = []
    threads = [threading.Thread(target=lambda: found.append(make_once(run, 1, make))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert begun.wait(10)
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert (made, found) == ([1], [healthy()] * 2)


def test_what_cannot_be_read_any_more_is_made_anew(run: RunDirectory) -> None:
    run.layout.attempt(1).diagnosis.write_text('{"version": 1, "half')
    assert make_once(run, 1, healthy) == healthy()
    assert kept(run, 1) == healthy()


def test_a_newer_npu_launch_may_have_written_more(run: RunDirectory) -> None:
    text = healthy().model_dump_json().replace('"version":1', '"version":1,"mood":"calm"')
    run.layout.attempt(1).diagnosis.write_text(text)
    assert kept(run, 1) == healthy()


def test_where_no_lock_can_be_had_it_is_made_all_the_same(tmp_path: Path) -> None:
    assert make_once(RunDirectory(tmp_path / "gone"), 1, healthy) == healthy()
