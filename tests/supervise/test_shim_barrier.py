"""A gang on several hosts: no shim starts a rank before all hosts are ready, and one that cannot says so."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.runs.events import Cause
from launcher.runs.state import Exit
from launcher.supervise.classify import classify
from launcher.supervise.shim.claims import try_claim
from tests.supervise.test_shim import Event, ShimProcess, exits, story

IMPATIENT = "import launcher.supervise.shim.starting as starting; starting._PATIENCE = 0.2"


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[ShimProcess]:
    shim = ShimProcess(tmp_path)
    yield shim
    assert shim.process is not None
    if shim.process.poll() is None:
        shim.tell(op="stop", reason="the test is over")
        shim.tell(op="leave")
    assert shim.process.wait(20) == 0


def spread(shim: ShimProcess, *scripts: str, changes: dict[str, Any] | None = None, **options: Any) -> Path:
    """A plan whose last rank is on another host; `changes` are made to what is started here."""
    path = shim.plan(*scripts, "true", **options)
    plan = json.loads(path.read_text())
    for process in [*plan["ranks"], *plan["services"]]:
        process |= changes or {}
    plan["ranks"][-1]["host"] = "there"
    path.write_text(json.dumps(plan))
    return path


def ready(shim: ShimProcess, attempt: int = 1) -> list[Event]:
    """What is told up to the word that this host is ready."""
    return shim.events(until="host_ready", attempt=attempt)


def test_ranks_wait_until_every_host_is_ready(shim: ShimProcess) -> None:
    shim.start(spread(shim, "true", "true", service="true"))
    assert [event["type"] for event in ready(shim)] == ["host_ready"]
    shim.tell(op="go", attempt=1)
    ended = exits(shim.events())
    assert {name: event["code"] for name, event in ended.items()} == {"rank 0": 0, "rank 1": 0, "scheduler": 0}


@pytest.mark.parametrize("options", [{"gang": False}, {}])
def test_ranks_that_need_no_other_host_do_not_wait(shim: ShimProcess, options: dict[str, Any]) -> None:
    shim.start(spread(shim, "true", **options) if options else shim.plan("true"))
    assert [event["type"] for event in shim.events()] == ["process_started", "process_exited", "host_idle"]


def test_to_be_told_twice_starts_ranks_once(shim: ShimProcess) -> None:
    shim.start(spread(shim, "echo once; until [ -e end ]; do sleep 0.02; done"))
    ready(shim)
    for _ in range(2):
        shim.tell(op="go", attempt=1)
    shim.events(until="process_started")
    shim.tell(op="go", attempt=1)
    (shim.folder / "end").touch()
    shim.events()
    assert shim.log("rank0") == "once\n"


def test_a_word_that_comes_before_its_attempt_is_kept_for_it(shim: ShimProcess) -> None:
    shim.start(spread(shim, "true"))
    ready(shim)
    shim.tell(op="go", attempt=2)
    shim.tell(op="launch", plan=str(spread(shim, "true", attempt=2)))
    assert story(shim.events(attempt=2)) == [
        ("host_idle", 1),
        ("process_started", 2),
        ("process_exited", 2),
        ("host_idle", 2),
    ]


def test_an_attempt_that_waits_in_vain_gives_way_to_the_next(shim: ShimProcess) -> None:
    shim.start(spread(shim, "true"))
    ready(shim)
    shim.tell(op="launch", plan=str(spread(shim, "true", attempt=2)))
    ready(shim, attempt=2)
    shim.tell(op="go", attempt=1)
    shim.tell(op="go", attempt=2)
    assert ("process_started", 1) not in story(shim.events(attempt=2))


def test_a_stop_ends_the_wait_and_a_late_word_changes_nothing(shim: ShimProcess) -> None:
    shim.start(spread(shim, "true"))
    ready(shim)
    shim.tell(op="stop", attempt=1, reason="host h1 was lost")
    events = shim.events()
    assert [event["type"] for event in events] == ["host_ready", "gang_stopping", "host_idle"]
    assert events[1]["reason"] == "host h1 was lost"
    shim.tell(op="go", attempt=1)
    shim.tell(op="launch", plan=str(shim.plan("true", attempt=2)))
    assert ("process_started", 1) not in story(shim.events(attempt=2))


def test_the_lease_counts_while_ranks_wait(shim: ShimProcess) -> None:
    shim.start(spread(shim, "true", lease=0.3))
    stopping = shim.events()[-2]
    assert stopping["type"] == "gang_stopping"
    assert stopping["fenced"]


OBSTACLES: dict[str, dict[str, Any]] = {
    "no program": {"argv": ["/no/such/program"]},
    "no program on the path": {"argv": ["no-such-program"]},
    "a program that is none": {"argv": ["/etc/passwd"]},
    "no folder": {"cwd": "/no/such/folder"},
    "a file for a folder": {"cwd": "/etc/passwd"},
    "a log that cannot be written": {"log": "/proc/self/status/log"},
}


@pytest.mark.parametrize("what", OBSTACLES)
def test_a_host_that_could_not_start_says_so_instead_of_ready(shim: ShimProcess, what: str) -> None:
    shim.start(spread(shim, "true", changes=OBSTACLES[what]))
    events = shim.events()
    assert [event["type"] for event in events] == ["process_exited", "gang_stopping", "host_idle"]
    ended = exits(events)["rank 0"]
    assert (ended["pid"], ended["code"]) == (0, 127)
    assert "cannot" in ended["error"]


@pytest.mark.parametrize("what", [what for what in OBSTACLES if "log" not in what])
def test_what_is_found_before_a_start_is_what_the_start_would_say(shim: ShimProcess, what: str) -> None:
    shim.start(spread(shim, "true", changes=OBSTACLES[what]))
    foreseen = exits(shim.events())["rank 0"]["error"]
    shim.tell(op="launch", plan=str(spread(shim, "true", changes=OBSTACLES[what], attempt=2, gang=False)))
    assert exits(shim.events(attempt=2))["rank 0"]["error"] == foreseen


def test_a_service_that_could_not_start_keeps_its_gang_from_starting(shim: ShimProcess) -> None:
    path = spread(shim, "true", service="true")
    plan = json.loads(path.read_text())
    plan["services"][0]["argv"] = ["/no/such/scheduler"]
    path.write_text(json.dumps(plan))
    shim.start(path)
    events = shim.events()
    assert {event["type"] for event in events} == {"process_exited", "gang_stopping", "host_idle"}
    (stopping,) = [event for event in events if event["type"] == "gang_stopping"]
    assert stopping["reason"].startswith("scheduler cannot execute '/no/such/scheduler'")


def test_a_claim_that_another_run_keeps_is_not_waited_for_by_many_hosts(shim: ShimProcess) -> None:
    path = spread(shim, "true")
    claim = str(shim.folder / "claims" / "device-0")
    path.write_text(json.dumps(json.loads(path.read_text()) | {"claims": [{"host": "here", "path": claim}]}))
    holder = try_claim(claim)
    assert holder is not None
    try:
        shim.start(path, code=IMPATIENT)
        ended = exits(shim.events())["rank 0"]
    finally:
        os.close(holder)
    assert f"{claim} is held by run" in ended["error"]
    assert classify(Exit(127, 0, ended["error"]), [], trained=False).cause is Cause.INFRASTRUCTURE


def test_a_host_is_ready_when_its_template_is(shim: ShimProcess) -> None:
    library = shim.folder / "libraries" / "slow_library.py"
    library.parent.mkdir()
    library.write_text(f"import time\ntime.sleep(0.3)\nopen({str(shim.folder / 'imported')!r}, 'w').close()\n")
    script = shim.folder / "job" / "train.py"
    script.parent.mkdir()
    script.write_text("import slow_library\nprint('trained')\n")
    changes = {
        "argv": [sys.executable, str(script)],
        "env": {"PYTHONPATH": str(library.parent), "PYTHONDONTWRITEBYTECODE": "1"},
        "cwd": str(shim.folder),
    }
    path = spread(shim, "", changes=changes)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prewarm": True}))
    shim.start(path)
    assert [event["type"] for event in ready(shim)] == ["host_ready"]
    assert (shim.folder / "imported").exists()
    shim.tell(op="go", attempt=1)
    assert exits(shim.events())["rank 0"]["code"] == 0
    assert shim.log("rank0") == "trained\n"


def test_a_renewal_is_answered_with_the_clock_of_the_host(shim: ShimProcess) -> None:
    shim.start(shim.plan("sleep 300"))
    before = time.time()
    with shim.connect() as connection, connection.makefile("rw") as lines:
        lines.write('{"op": "renew"}\n')
        lines.flush()
        word, clock = lines.readline().split()
    assert word == "renewed"
    assert before - 0.1 <= float(clock) <= time.time() + 0.1
