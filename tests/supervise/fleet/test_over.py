"""How far runs are, as a host is asked, and as the answers of several are read."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from launcher.errors import InfrastructureError
from launcher.supervise.fleet import over
from launcher.supervise.fleet.over import Known, Standing, known_of, standing
from tests.cli.conftest import Author


@pytest.fixture
def answer(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """What this host answers when it is asked about runs."""

    def ask(*runs: str) -> dict[str, Known]:
        monkeypatch.setattr(sys, "argv", ["over", *runs])
        over.main()
        return known_of("node-a", json.loads(capsys.readouterr().out))

    return ask


def known(size: int, *, ended: bool = False, supervised: bool = False) -> Known:
    return Known(ended=ended, supervised=supervised, size=size)


def test_a_host_tells_of_each_run_whether_its_record_ends_who_keeps_it_and_how_long_it_is(
    author: Author, answer: Any
) -> None:
    ended, goes_on = author.succeeded("old"), author.run("new")
    goes_on.starts()
    lock = goes_on.directory.lock()
    assert lock.try_acquire()
    try:
        assert answer(ended.id, goes_on.id, "never-0000") == {
            ended.id: known(ended.directory.layout.events.stat().st_size, ended=True),
            goes_on.id: known(goes_on.directory.layout.events.stat().st_size, supervised=True),
            "never-0000": known(0),
        }
    finally:
        lock.release()


def test_a_record_that_cannot_be_read_does_not_lose_the_others(author: Author, answer: Any) -> None:
    broken, ended = author.succeeded("broken"), author.succeeded("old")
    broken.directory.layout.events.unlink()
    broken.directory.layout.events.mkdir()
    found = answer(broken.id, ended.id)
    assert found[ended.id].ended
    assert not found[broken.id].ended


def test_a_run_that_has_gone_on_elsewhere_is_alive_whatever_an_older_record_says() -> None:
    assert standing([known(900, ended=True), known(1500)]) is Standing.ALIVE
    assert standing([known(900, ended=True), known(1500, supervised=True)]) is Standing.ALIVE
    assert standing([known(900, ended=True), known(600, supervised=True)]) is Standing.ALIVE


def test_a_run_is_over_by_its_longest_record_where_another_lacks_the_end() -> None:
    assert standing([known(900), known(0), known(1000, ended=True)]) is Standing.OVER


def test_a_run_that_is_supervised_is_not_over_although_its_end_is_written() -> None:
    assert standing([known(1000, ended=True, supervised=True), known(900)]) is Standing.ENDING
    assert standing([known(1000, ended=True), known(900, ended=True, supervised=True)]) is Standing.ENDING


def test_a_run_of_which_nobody_can_say_anything_is_alive() -> None:
    assert standing([]) is Standing.ALIVE
    assert standing([known(0), known(0)]) is Standing.ALIVE
    assert standing([known(900, ended=True), known(900)]) is Standing.ALIVE


def test_an_answer_of_another_version_is_refused_with_its_host() -> None:
    with pytest.raises(InfrastructureError, match="node-a"):
        known_of("node-a", {"over": ["job-7f3a"]})
