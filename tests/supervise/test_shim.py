"""The shim starts, stops and reports, alone with its plan."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from launcher.supervise import shim as shim_package
from launcher.supervise.shim.lease import Lease
from launcher.supervise.shim.memory import OomWatch
from tests.end_to_end import is_alive

Event = dict[str, Any]


class ShimProcess:
    """A shim that keeps bash scripts as ranks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[bytes] | None = None

    def plan(
        self,
        *scripts: str,
        attempt: int = 1,
        gang: bool = True,
        grace: float = 5,
        lease: float = 60,
        service: str = "",
        device_node: Path | None = None,
        first_rank: int = 0,
    ) -> Path:
        def process(name: str, script: str) -> dict[str, object]:
            return {
                "host": "here",
                "argv": ["/bin/bash", "-c", script],
                "env": {"NAME": name},
                "cwd": str(self.folder),
                "log": str(self.folder / "attempt" / name / "log"),
            }

        plan = {
            "attempt": attempt,
            "gang": gang,
            "grace": grace,
            "lease": lease,
            "prewarm": False,
            "unset": ["UNWANTED"],
            "ranks": [
                {
                    "rank": r,
                    "slot": r,
                    "device_node": str(device_node) if device_node is not None else None,
                    **process(f"rank{r}", script),
                }
                for r, script in enumerate(scripts, first_rank)
            ],
            "services": [{"name": "scheduler", **process("scheduler", service)}] if service else [],
        }
        path = self.folder / "attempt" / f"plan{attempt}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(plan))
        return path

    def start(self, plan: Path, after: int = 0, run: str = "-", code: str = "") -> None:
        """Start it; `code` prepares its process, which has its main module as `main`."""
        read, write = os.pipe()
        arguments = [*(str(self.folder / name) for name in ("socket", "journal", "lock")), str(plan), run, str(write)]
        package = Path(shim_package.__file__).parent
        command = [str(package)]
        if code:
            found = f"import sys; sys.path.insert(0, {str(package.parents[2])!r})"
            command = ["-c", f"{found}; import launcher.supervise.shim.__main__ as main; {code}; main.main()"]
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", *command, "here", str(after), *arguments], pass_fds=(write,)
        )
        os.close(write)
        with os.fdopen(read, "rb") as ready:
            assert ready.read(1) == b"\n"

    def connect(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        deadline = time.monotonic() + 10
        while True:
            try:
                connection.connect(str(self.folder / "socket"))
                return connection
            except OSError:
                assert time.monotonic() < deadline
                time.sleep(0.01)

    def tell(self, **message: object) -> None:
        with self.connect() as connection:
            connection.sendall(json.dumps(message).encode() + b"\n")

    def events(self, after: int = 0, until: str = "host_idle", attempt: int | None = 1) -> list[Event]:
        """The events from a number on, up to the end of an attempt."""
        found: list[Event] = []
        with self.connect() as connection, connection.makefile("r") as lines:
            connection.sendall(json.dumps({"op": "follow", "after": after}).encode() + b"\n")
            for line in lines:
                found.append(json.loads(line))
                if found[-1]["type"] == until and found[-1].get("attempt") == attempt:
                    break
        return found

    def log(self, name: str) -> str:
        return (self.folder / "attempt" / name / "log").read_text()


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[ShimProcess]:
    shim = ShimProcess(tmp_path)
    yield shim
    if shim.process is not None:
        if shim.process.poll() is None:
            shim.tell(op="stop", reason="the test is over")
            shim.tell(op="leave")
        assert shim.process.wait(20) == 0


def exits(events: list[Event]) -> dict[str, Event]:
    return {event["name"]: event for event in events if event["type"] == "process_exited"}


def wait_for_log(shim: ShimProcess) -> None:
    """Until rank 0 has written something."""
    while not (shim.folder / "attempt/rank0/log").exists() or not shim.log("rank0"):
        time.sleep(0.01)


def test_ranks_write_their_own_logs(shim: ShimProcess) -> None:
    shim.start(shim.plan("echo out $NAME; echo err >&2", "echo out $NAME"))
    assert {event["code"] for event in exits(shim.events()).values()} == {0}
    assert shim.log("rank0") == "out rank0\nerr\n"
    assert shim.log("rank1") == "out rank1\n"


def test_unwanted_variables_of_the_launching_shell_do_not_leak_in(
    shim: ShimProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNWANTED", "leaked")
    monkeypatch.setenv("WANTED", "kept")
    shim.start(shim.plan("echo ${UNWANTED-unset} $WANTED"))
    shim.events()
    assert shim.log("rank0") == "unset kept\n"


def test_a_rank_that_fails_ends_its_gang_in_the_order_that_it_happened(shim: ShimProcess) -> None:
    shim.start(shim.plan("sleep 60", "sleep 0.2; exit 9", "sleep 60"))
    events = shim.events()
    ended = [event["name"] for event in events if event["type"] == "process_exited"]
    assert ended[0] == "rank 1"
    assert {event["name"]: event["stopped"] for event in exits(events).values()} == {
        "rank 0": True,
        "rank 1": False,
        "rank 2": True,
    }


def test_ranks_that_are_no_gang_go_on(shim: ShimProcess) -> None:
    shim.start(shim.plan("exit 9", "sleep 0.5; echo done", gang=False))
    assert exits(shim.events())["rank 1"]["code"] == 0


def test_a_rank_that_cannot_be_executed_says_why(shim: ShimProcess) -> None:
    plan = shim.plan("true")
    text = plan.read_text().replace("/bin/bash", "/no/such/program")
    plan.write_text(text)
    shim.start(plan)
    ended = exits(shim.events())["rank 0"]
    assert ended["code"] == 127
    assert "/no/such/program" in ended["error"]


def test_a_suspended_rank_can_be_stopped(shim: ShimProcess) -> None:
    shim.start(shim.plan("echo $$; kill -STOP $$"))
    wait_for_log(shim)
    state = Path(f"/proc/{int(shim.log('rank0'))}/stat")
    while state.read_text().rpartition(")")[2].split()[0] != "T":
        time.sleep(0.01)
    shim.tell(op="stop", reason="test")
    assert exits(shim.events())["rank 0"]["code"] == -signal.SIGTERM


def test_what_ignores_sigterm_is_killed_after_the_grace(shim: ShimProcess) -> None:
    shim.start(shim.plan("trap '' TERM; echo ready; while :; do sleep 0.1; done", grace=0.5))
    wait_for_log(shim)
    shim.tell(op="stop", reason="test")
    assert exits(shim.events())["rank 0"]["code"] == -signal.SIGKILL


def test_daemons_of_ranks_end_with_their_attempt(shim: ShimProcess) -> None:
    shim.start(
        shim.plan(
            "setsid bash -c 'trap \"\" TERM; echo $$; touch up; sleep 300; sleep 300' & until [ -e up ]; do :; done"
        )
    )
    shim.events()
    with pytest.raises(ProcessLookupError):
        os.kill(int(shim.log("rank0")), 0)


def test_a_service_ends_soon_after_the_ranks_it_serves(shim: ShimProcess) -> None:
    shim.start(shim.plan("true", service="sleep 300"))
    events = shim.events()
    assert exits(events)["scheduler"]["stopped"]
    assert exits(events)["rank 0"]["code"] == 0


UNTIL_GIVEN_UP = "until grep -q 'not started again' journal; do sleep 0.02; done"


def test_a_service_that_fails_ends_no_rank_and_is_started_again_a_few_times(shim: ShimProcess) -> None:
    shim.start(shim.plan(UNTIL_GIVEN_UP, service="exit 3"))
    events = shim.events()
    assert exits(events)["rank 0"]["code"] == 0
    assert len([e for e in events if e["type"] == "process_started" and e["name"] == "scheduler"]) == 4
    assert "not started again" in [event["text"] for event in events if event["type"] == "note"][-1]


def test_the_next_attempt_runs_under_the_same_shim(shim: ShimProcess) -> None:
    shim.start(shim.plan("exit 1"))
    first = shim.events()
    shim.tell(op="launch", plan=str(shim.plan("echo again", attempt=2)))
    second = shim.events(after=len(first), attempt=2)
    assert [event["host_seq"] for event in first + second] == list(range(1, len(first) + len(second) + 1))
    assert exits(second)["rank 0"]["code"] == 0


def test_an_attempt_is_launched_once_however_often_it_is_asked_for(shim: ShimProcess) -> None:
    plan = shim.plan("echo once; sleep 0.5")
    shim.start(plan)
    shim.tell(op="launch", plan=str(plan))
    shim.events()
    assert shim.log("rank0") == "once\n"


def test_followers_that_come_late_hear_everything(shim: ShimProcess) -> None:
    shim.start(shim.plan("exit 3"))
    assert shim.events() == shim.events()
    assert shim.events(after=1) == shim.events()[1:]


def leave(shim: ShimProcess) -> None:
    shim.tell(op="leave")
    assert shim.process is not None
    assert shim.process.wait(10) == 0


def test_a_shim_that_follows_another_goes_on_counting(shim: ShimProcess) -> None:
    shim.start(shim.plan("true"))
    count = len(shim.events())
    leave(shim)
    shim.start(shim.plan("true", attempt=2), after=count)
    assert shim.events(after=count, attempt=2)[0]["host_seq"] == count + 1


def test_events_that_nobody_took_are_told_by_the_next_shim(shim: ShimProcess) -> None:
    shim.start(shim.plan("true"))
    first = shim.events()
    leave(shim)
    shim.start(shim.plan("true", attempt=2), after=1)
    assert shim.events(after=1, attempt=2)[: len(first) - 1] == first[1:]


@pytest.mark.parametrize("journal", [b"", b"nonsense\n", b'{"host_seq": 1}\n{"host_seq": 9}\n', b'{"host_se'])
def test_numbers_go_on_from_the_record_whatever_became_of_the_journal(shim: ShimProcess, journal: bytes) -> None:
    (shim.folder / "journal").write_bytes(journal)
    shim.start(shim.plan("true"), after=5)
    assert [event["host_seq"] for event in shim.events(after=5)] == [6, 7, 8]


def test_nonsense_on_the_socket_does_no_harm(shim: ShimProcess) -> None:
    shim.start(shim.plan("sleep 1"))
    for nonsense in (b"\xff\xfe\n", b"[]\n", b'{"op": "fly"}\n', b'{"op": "follow", "after": "x"}\n', b"\n"):
        with shim.connect() as connection:
            connection.sendall(nonsense)
    assert exits(shim.events())["rank 0"]["code"] == 0


def test_a_process_that_sigkill_does_not_end_is_told_of_and_left(shim: ShimProcess) -> None:
    deaf = "from launcher.supervise.shim import attempts; attempts._KILL_PATIENCE = 0.3"
    deaf += "; attempts.signal_process = attempts.signal_group = lambda *_: None"
    shim.start(shim.plan("exit 3", "exec sleep 1000", grace=0.1), code=deaf)
    first = shim.events()
    [note] = [event["text"] for event in first if event["type"] == "note"]
    hanging = next(event["pid"] for event in first if event["type"] == "process_started" and event["rank"] == 1)
    assert note == f"SIGKILL does not end pid {hanging}: it hangs in the kernel"
    assert set(exits(first)) == {"rank 0"}
    shim.tell(op="launch", plan=str(shim.plan("echo again", attempt=2)))
    assert exits(shim.events(after=len(first), attempt=2))["rank 0"]["code"] == 0


def test_ranks_end_with_a_shim_that_is_killed(shim: ShimProcess) -> None:
    shim.start(shim.plan("echo $$; exec sleep 300"))
    wait_for_log(shim)
    assert shim.process is not None
    shim.process.kill()
    shim.process.wait()
    shim.process = None
    pid = int(shim.log("rank0"))
    deadline = time.monotonic() + 30
    while is_alive(pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_ranks_that_no_supervisor_vouches_for_are_ended(shim: ShimProcess) -> None:
    shim.start(shim.plan("sleep 300", lease=1))
    began = time.monotonic()
    events = shim.events()
    assert time.monotonic() - began >= 0.5
    (stopping,) = [event for event in events if event["type"] == "gang_stopping"]
    assert stopping["fenced"] and "lease" in stopping["reason"]
    assert exits(events)["rank 0"]["stopped"]


def test_a_lease_that_is_renewed_lets_ranks_run(shim: ShimProcess) -> None:
    shim.start(shim.plan("sleep 4; echo done", lease=2))
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        with shim.connect() as connection:
            connection.sendall(b'{"op": "renew"}\n')
            assert connection.recv(64).startswith(b"renewed ")
        time.sleep(0.2)
    assert exits(shim.events())["rank 0"]["code"] == 0


def test_independent_ranks_start_again_beside_the_others(shim: ShimProcess) -> None:
    shim.start(shim.plan("exit 1", "until [ -e go ]; do sleep 0.05; done", gang=False))
    first = shim.events(until="process_exited")
    shim.tell(op="launch", plan=str(shim.plan("touch go", attempt=2, gang=False)))
    second = shim.events(after=len(first), attempt=2)
    assert {(event["attempt"], event["rank"]) for event in second if event["type"] == "process_exited"} == {
        (2, 0),
        (1, 1),
    }


def story(events: list[Event]) -> list[tuple[str, int]]:
    """What began and ended, with the attempt."""
    kinds = ("process_started", "process_exited", "host_idle")
    return [(event["type"], event["attempt"]) for event in events if event["type"] in kinds]


def test_a_gang_that_is_launched_while_another_attempt_runs_starts_when_that_has_ended(shim: ShimProcess) -> None:
    shim.start(shim.plan("until [ -e go ]; do sleep 0.02; done"))
    shim.tell(op="launch", plan=str(shim.plan("true", attempt=2)))
    (shim.folder / "go").touch()
    of_each = ("process_started", "process_exited", "host_idle")
    assert story(shim.events(attempt=2)) == [(kind, attempt) for attempt in (1, 2) for kind in of_each]


def test_ranks_that_are_launched_while_others_wait_for_a_device_start_after_them(
    shim: ShimProcess, tmp_path: Path
) -> None:
    node = tmp_path / "davinci0"
    node.touch()
    shim.start(shim.plan("exit 1", "exit 1", "until [ -e go ]; do sleep 0.02; done", gang=False))
    shim.events(until="process_exited")
    with node.open():
        shim.tell(op="launch", plan=str(shim.plan("true", attempt=2, gang=False, device_node=node)))
        shim.tell(op="launch", plan=str(shim.plan("touch go", attempt=3, gang=False, first_rank=1)))
        time.sleep(0.2)
    events = shim.events(attempt=3)
    started = [(e["attempt"], e["rank"]) for e in events if e["type"] == "process_started"]
    assert started == [(1, 0), (1, 1), (1, 2), (2, 0), (3, 1)]
    assert [event["attempt"] for event in events if event["type"] == "host_idle"] == [3]


def test_what_waits_to_start_is_given_up_by_a_stop(shim: ShimProcess) -> None:
    shim.start(shim.plan("sleep 300"))
    shim.tell(op="launch", plan=str(shim.plan("true", attempt=2)))
    shim.tell(op="stop", attempt=2, reason="test")
    events = shim.events(attempt=2)
    assert story(events) == [("process_started", 1), ("process_exited", 1), ("host_idle", 2)]
    assert "attempt 2 is not started: test" in [event["text"] for event in events if event["type"] == "note"]


def test_a_plan_that_cannot_be_read_leaves_the_host_idle(shim: ShimProcess) -> None:
    shim.start(shim.plan("true"))
    shim.events()
    shim.tell(op="launch", plan=str(shim.folder / "no-plan.json"), attempt=2)
    events = shim.events(attempt=2)
    assert "No such file" in events[-2]["text"]
    torn = shim.folder / "attempts" / "3" / "plan.json"
    torn.parent.mkdir(parents=True)
    torn.write_text('{"attempt"')
    shim.tell(op="launch", plan=str(torn))
    assert "attempt 3 is not started" in shim.events(attempt=3)[-2]["text"]


def test_a_stop_of_an_attempt_that_never_came_is_answered_and_holds(shim: ShimProcess) -> None:
    shim.start(shim.plan("true"))
    shim.events()
    shim.tell(op="stop", attempt=2, reason="test")
    shim.events(attempt=2)
    shim.tell(op="launch", plan=str(shim.plan("true", attempt=2)))
    shim.tell(op="launch", plan=str(shim.plan("true", attempt=3)))
    assert ("process_started", 2) not in story(shim.events(attempt=3))


def test_a_rank_that_is_launched_during_a_clear_up_is_not_killed_by_it(shim: ShimProcess) -> None:
    daemon = "setsid bash -c 'trap \"\" TERM; touch up; while :; do sleep 0.02; done' & until [ -e up ]; do :; done"
    shim.start(shim.plan(f"{daemon}; exit 1", gang=False))
    shim.events(until="process_exited")
    time.sleep(0.05)
    shim.tell(op="launch", plan=str(shim.plan("sleep 0.5", attempt=2, gang=False)))
    events = shim.events(attempt=2)
    assert story(events)[2:] == [("host_idle", 1), ("process_started", 2), ("process_exited", 2), ("host_idle", 2)]
    assert exits(events)["rank 0"]["code"] == 0


def revivable(shim: ShimProcess, python: str) -> tuple[str, str]:
    """A run's folder, and code that has a bash script take the place of its keepers."""
    (shim.folder / "run").mkdir()
    fake = shim.folder / "fake-python"
    fake.write_text(f"#!/bin/bash\n{python}\n")
    fake.chmod(0o755)
    return str(shim.folder / "run"), f"sys.executable = {str(fake)!r}; main._LINGER = 0.3"


def test_a_keeper_that_the_shim_starts_is_none_of_its_descendants(shim: ShimProcess) -> None:
    run, code = revivable(
        shim, f"sleep 0.1; echo $(ps -o ppid= $$) > {shim.folder}/parent; sleep 1; touch {shim.folder}/lived"
    )
    shim.start(shim.plan("until [ -s parent ]; do sleep 0.02; done", lease=0.2), run=run, code=code)
    events = shim.events()
    assert shim.process is not None
    assert int((shim.folder / "parent").read_text()) != shim.process.pid
    deadline = time.monotonic() + 5
    while not (shim.folder / "lived").exists():
        assert time.monotonic() < deadline, events
        time.sleep(0.02)


def test_what_ranks_detach_is_still_adopted_after_a_keeper_was_started(shim: ShimProcess) -> None:
    run, code = revivable(shim, f"touch {shim.folder}/kept")
    daemon = "setsid bash -c 'echo $$ > daemon; exec sleep 300' & until [ -s daemon ]; do :; done"
    shim.start(shim.plan(f"until [ -e kept ]; do sleep 0.02; done; {daemon}", lease=0.2), run=run, code=code)
    shim.events()
    with pytest.raises(ProcessLookupError):
        os.kill(int((shim.folder / "daemon").read_text()), 0)


def test_an_idle_shim_that_nobody_dismissed_calls_for_a_keeper_before_it_ends(shim: ShimProcess) -> None:
    run, code = revivable(shim, f"echo kept >> {shim.folder}/kept")
    shim.start(shim.plan("true"), run=run, code=code)
    assert shim.process is not None
    assert shim.process.wait(10) == 0
    assert (shim.folder / "kept").read_text() == "kept\n" * 3


def test_an_idle_shim_away_from_home_ends_when_nobody_comes(shim: ShimProcess) -> None:
    shim.start(shim.plan("true"), code="main._LINGER = 0.3")
    assert shim.process is not None
    assert shim.process.wait(10) == 0


def test_who_only_watches_keeps_no_idle_shim_from_its_end(shim: ShimProcess) -> None:
    """As a scanner that hangs: it takes nothing, and does not close its connection."""
    shim.start(shim.plan("until [ -e go ]; do sleep 0.02; done"), code="main._LINGER = 0.3")
    with shim.connect() as watcher:
        watcher.sendall(b'{"op": "follow", "after": 0, "watches": true}\n')
        assert watcher.recv(1)  # it follows
        (shim.folder / "go").touch()
        assert shim.process is not None
        assert shim.process.wait(10) == 0


def test_an_idle_shim_calls_for_a_supervisor_although_somebody_watches(shim: ShimProcess) -> None:
    run, code = revivable(shim, f"touch {shim.folder}/called")
    shim.start(shim.plan("until [ -e go ]; do sleep 0.02; done"), run=run, code=code)
    with shim.connect() as watcher:
        watcher.sendall(b'{"op": "follow", "after": 0, "watches": true}\n')
        assert watcher.recv(1)
        (shim.folder / "go").touch()
        deadline = time.monotonic() + 10
        while not (shim.folder / "called").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_the_lease_runs_on_while_the_machine_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    now = {time.CLOCK_BOOTTIME: 100.0}
    monkeypatch.setattr(time, "clock_gettime", now.__getitem__)
    lease = Lease("-")
    now[time.CLOCK_BOOTTIME] = 150.0
    assert lease.left(60) == 10


def test_a_service_that_could_not_be_started_again_is_not_said_to_have_been(shim: ShimProcess) -> None:
    log = shim.folder / "attempt" / "scheduler" / "log"
    shim.start(shim.plan(UNTIL_GIVEN_UP, service=f"rm -r {log.parent}; touch {log.parent}; exit 3"))
    notes = [event["text"] for event in shim.events() if event["type"] == "note"]
    assert len(notes) == 1
    assert "not started again" in notes[0]


class Counter:
    """A cgroup's count of kills for want of memory, and a watch that sees nothing else."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "memory.events"
        self.set(3)
        self.watch = OomWatch(kernel_log=str(folder / "none"), counter=str(self._path))

    def set(self, kills: int) -> None:
        self._path.write_text(f"oom 7\noom_kill {kills}\n")


def test_a_kill_for_want_of_memory_answers_for_one_process(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    counter.set(4)
    assert "risen to 4" in (counter.watch.verdict(1) or "")
    assert counter.watch.verdict(2) is None


def test_a_kill_for_want_of_memory_long_ago_says_nothing_of_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = Counter(tmp_path)
    counter.set(4)
    counter.watch.refresh()
    later = time.monotonic() + 60
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert counter.watch.verdict(1) is None


def test_a_kill_that_was_counted_while_the_process_was_ending_is_not_lost(tmp_path: Path) -> None:
    counter = Counter(tmp_path)
    counter.set(4)
    counter.watch.refresh()
    assert counter.watch.verdict(1) is not None


def test_a_shell_whose_child_the_kernel_killed_for_want_of_memory_says_so(shim: ShimProcess) -> None:
    count = shim.folder / "memory.events"
    count.write_text("oom_kill 0\n")
    code = (
        f"main.OomWatch = (lambda watch: lambda: watch({str(shim.folder / 'none')!r}, {str(count)!r}))(main.OomWatch)"
    )
    shim.start(shim.plan(f"echo oom_kill 1 > {count}; exit 137", "sleep 0.5; exit 137", gang=False), code=code)
    ended = exits(shim.events())
    assert "risen to 1" in ended["rank 0"]["oom"]
    assert "oom" not in ended["rank 1"]


def test_ranks_wait_until_nobody_has_their_device_open(shim: ShimProcess, tmp_path: Path) -> None:
    node = tmp_path / "davinci0"
    node.touch()
    with node.open():
        shim.start(shim.plan("true", device_node=node))
        told = shim.events(until="note", attempt=None)
        assert f"{node} by pid {os.getpid()}" in told[-1]["text"]
        assert not [event for event in told if event["type"] == "process_started"]
    assert exits(shim.events())["rank 0"]["code"] == 0


def test_a_start_that_waits_for_a_device_can_be_stopped(shim: ShimProcess, tmp_path: Path) -> None:
    node = tmp_path / "davinci0"
    node.touch()
    with node.open():
        shim.start(shim.plan("true", device_node=node))
        shim.tell(op="stop", reason="test")
        assert not exits(shim.events())


@pytest.fixture
def memory_limit(tmp_path: Path) -> Iterator[Path]:
    """A cgroup with room for 32 MiB: whoever writes its pid to this file may not have more. Needs root."""
    for root in (Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup")):
        group = root / f"npu-launch-test-{os.getpid()}"
        try:
            group.mkdir()
            limit = group / ("memory.max" if (group / "memory.max").exists() else "memory.limit_in_bytes")
            limit.write_text(str(32 << 20))
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
            continue
        try:
            yield group / "cgroup.procs"
        finally:
            deadline = time.monotonic() + 10
            while (group / "cgroup.procs").read_text() and time.monotonic() < deadline:
                time.sleep(0.02)
            group.rmdir()
        return
    pytest.skip("cannot make a memory cgroup here")


def test_a_rank_that_the_kernel_killed_for_want_of_memory_is_told_from_one_that_was_killed(
    shim: ShimProcess, memory_limit: Path
) -> None:
    greedy = f"echo $$ > {memory_limit}; exec python3 -c 'import mmap; x = bytearray(256 << 20); x[::4096] = x[::4096]'"
    shim.start(shim.plan(greedy, "kill -9 $$", gang=False))
    ended = exits(shim.events())
    assert {ended["rank 0"]["code"], ended["rank 1"]["code"]} == {-signal.SIGKILL}
    assert "oom" in ended["rank 0"]["oom"].lower() or "out of memory" in ended["rank 0"]["oom"]
    assert "oom" not in ended["rank 1"]
