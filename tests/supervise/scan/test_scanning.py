"""The process that looks through a host's logs, between files that grow and a shim."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from launcher.runs.events import Event, decode
from launcher.runs.home import make_runtime_directory, remove_runtime_directory
from launcher.runs.store import RunDirectory
from launcher.supervise.detached import start_scan
from launcher.supervise.on_host import end_what_is_left
from launcher.supervise.scan import scanning
from launcher.supervise.scan.shim_events import ShimEvents, ShimGone
from tests.end_to_end import wait_for

OOM = (Path(__file__).parents[2] / "captures" / "diagnosis" / "torch_npu_oom.log").read_text() + "\n"
NOTIFY = (
    "[ERROR] HCCL(1,python):2025-10-28-17:45:13.679.001 [task_exception_handler.cc:900] [TaskExceptionHandler]"
    "Task from HCCL run failed. Base info: taskType[Notify Wait], remote rank:[2], rankId[0]\n"
)
STARTED = {"type": "process_started", "time": 1.0, "attempt": 1, "name": "rank-0", "rank": 0, "pid": 1}
EXITED = {**STARTED, "type": "process_exited", "code": 0}
IDLE = {"type": "host_idle", "time": 9.0, "attempt": 1}


def nothing() -> None:
    """What nobody needs who does not hang."""


def read(event: dict[str, Any]) -> Event:
    found = decode(json.dumps(event).encode())
    assert found is not None
    return found


class SmallShim:
    """Tells its events to whoever follows, and writes down as an event what is reported."""

    def __init__(self, path: Path) -> None:
        self.events: list[dict[str, Any]] = [STARTED]
        self.reports: list[dict[str, Any]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.followers: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def tells(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        for follower in self.followers:
            follower.sendall(json.dumps(event).encode() + b"\n")

    def end(self) -> None:
        for end in (*self.followers, self._listener):
            with suppress(OSError):  # it has ended before
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._read, args=(connection,), daemon=True).start()

    def _read(self, connection: socket.socket) -> None:
        with connection.makefile("rb") as lines:
            for line in lines:
                message = json.loads(line)
                if message["op"] == "follow":
                    self.followers.append(connection)
                    connection.sendall(b"".join(json.dumps(event).encode() + b"\n" for event in self.events))
                elif message["op"] == "report":
                    self.reports.append(message["fault"])
                    self.tells({"type": "fault_seen", "time": 5.0, **message["fault"]})


class Scanned:
    """A run with one rank on a host, and its shim."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        make_runtime_directory()
        self.shim = SmallShim(run.shim_socket("h0"))
        self.log = run.rank_log(1, 0)
        self.log.parent.mkdir(parents=True)

    def begin(self) -> Callable[[], None]:
        """Look through the logs in a thread; how to make sure of its end."""
        followers = len(self.shim.followers)
        thread = threading.Thread(target=self._scan, daemon=True)
        thread.start()
        wait_for(lambda: len(self.shim.followers) > followers, "it follows the shim")

        def ends() -> None:
            thread.join(10)
            assert not thread.is_alive()

        return ends

    def _scan(self) -> None:
        scanning.scan(self.run, "h0", nothing)

    def writes(self, text: str) -> None:
        with self.log.open("a") as log:
            log.write(text)


@pytest.fixture
def host(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scanned]:
    monkeypatch.setattr(scanning, "_PERIOD", 0.02)
    monkeypatch.setattr(scanning, "_LIST_PERIOD", 0.02)
    scanned = Scanned(RunDirectory(home / "runs" / "job-7f3a"))
    yield scanned
    scanned.shim.end()
    scanned.run.shim_socket("h0").unlink()
    remove_runtime_directory()


def test_a_fault_is_reported_once_also_by_a_process_that_begins_anew(host: Scanned) -> None:
    host.writes("step 1\n")
    first = host.begin()
    host.writes(OOM)
    wait_for(lambda: bool(host.shim.reports), "the fault is reported")
    (fault,) = host.shim.reports
    assert (fault["rank"], fault["cause"], fault["file"], fault["line"]) == (
        0,
        "device_oom",
        "attempts/1/ranks/0/stdout.log",
        2,
    )
    second = host.begin()  # as after a kill: it reads everything again
    plog = host.run.layout.attempt(1).rank(0).cann / "debug/plog/plog-1_20251028174513679.log"
    plog.parent.mkdir(parents=True)
    plog.write_text(NOTIFY)
    host.writes(OOM)
    wait_for(lambda: len(host.shim.reports) > 1, "a fault in a file that came later is reported")
    assert [fault["cause"] for fault in host.shim.reports].count("device_oom") == 1
    host.shim.tells(EXITED)
    host.shim.tells(IDLE)
    first()
    second()


def test_it_ends_with_the_shim(host: Scanned) -> None:
    ended = threading.Event()

    def scan() -> None:
        with pytest.raises(ShimGone):
            scanning.scan(host.run, "h0", nothing)
        ended.set()

    threading.Thread(target=scan, daemon=True).start()
    wait_for(lambda: bool(host.shim.followers), "it follows the shim")
    host.shim.end()
    assert ended.wait(10)
    with pytest.raises(ShimGone):
        scanning.scan(host.run, "h0", nothing)


class ToldShim:
    """Tells the events of each of its words, one a look, as one that has been read in pieces."""

    def __init__(self, *words: list[Event]) -> None:
        self.words = [*words]

    def take(self, _patience: float) -> list[Event]:
        return self.words.pop(0)

    def close(self) -> None:
        assert not self.words


def test_it_does_not_end_within_history_that_breaks_off_after_an_attempt(
    host: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = ([read({**event, "attempt": attempt}) for event in (STARTED, EXITED, IDLE)] for attempt in (1, 2))
    shim = ToldShim(first, second, [])
    monkeypatch.setattr(scanning, "ShimEvents", lambda _path: shim)
    monkeypatch.setattr(scanning, "_PERIOD", 60.0)
    scanning.scan(host.run, "h0", nothing)
    assert not shim.words


def test_events_come_whole_however_they_are_cut(host: Scanned) -> None:
    """What is no whole event yet is not taken for the end of what is told."""
    host.shim.events = []
    events = ShimEvents(host.run.shim_socket("h0"))
    wait_for(lambda: bool(host.shim.followers), "it follows the shim")
    (shim,) = host.shim.followers
    line = json.dumps(STARTED).encode() + b"\n"
    shim.sendall(line[:20])
    assert events.take(0.0) == []
    threading.Thread(target=shim.sendall, args=(line[20:] + line,), daemon=True).start()
    assert events.take(10.0)[0] == read(STARTED)
    events.close()


def test_nobody_looks_where_hyperscan_is_installed_and_does_not_work(
    host: Scanned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    monkeypatch.setattr(scanning, "ShimEvents", pytest.fail)
    scanning.scan(host.run, "h0", nothing)


def test_one_that_does_not_end_is_ended_with_what_is_left_of_its_run(home: Path) -> None:
    run = RunDirectory(home / "runs" / "job-7f3a")
    run.path.mkdir(parents=True)
    lock = run.lock()
    assert lock.try_acquire()  # it is kept: nobody else on this machine takes what it has for orphans
    make_runtime_directory()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(run.shim_socket("h0")))
        silent.listen()
        silent.settimeout(60)
        start_scan(run, "h0").wait()
        connection, _ = silent.accept()
        with connection, connection.makefile("rb") as lines:
            assert json.loads(lines.readline()) == {"op": "follow", "after": 0, "watches": True}
            assert end_what_is_left(run) == ()
            assert lines.read() == b""
    lock.release()
    run.shim_socket("h0").unlink()
    remove_runtime_directory()


HANGING = """
import re
from launcher.supervise.scan import __main__ as process, scanning

def scan(run, host, goes_on):
    goes_on()
    re.match("(a+)+$", "a" * 60 + "b")

process._LONGEST_STEP = 0.1
scanning.scan = scan
process.main({folder!r}, "h0")
"""


def test_a_process_that_hangs_in_an_expression_is_ended(home: Path) -> None:
    run = RunDirectory(home / "runs" / "job-7f3a")
    run.scan_lock("h0").parent.mkdir(parents=True)
    code = HANGING.format(folder=str(run.path))
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == -signal.SIGALRM
