"""Ranks that stand still are found, named, and stopped; those that cannot be told from healthy ones are let alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

from launcher.runs.events import Decided, Event, HangFound, Progressed, StragglerFound
from launcher.runs.record import RecordReader
from launcher.runs.store import RunDirectory
from tests.end_to_end import (
    COMMAND,
    latest,
    npu_launch,
    npu_launch_beside,
    pids,
    wait_for,
    wait_until_ended,
    wait_until_running,
    write_python_recipe,
)

# Ranks meet after every step, as in training; the files of a step are in a folder that all ranks share.
GANG = """
import argparse, os, pathlib, socket, time

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=10**6)
steps = parser.parse_args().steps
rank, size = int(os.environ["RANK_ID"]), int(os.environ["RANK_SIZE"])
attempt = int(os.environ["NPU_LAUNCH_ATTEMPT"])
meeting = str(pathlib.Path.cwd().parents[2] / "meeting")


def meet():
    own = socket.socket(socket.AF_UNIX)
    if rank == 0:
        own.bind(meeting)
        own.listen()
        return [own.accept()[0] for _ in range(size - 1)]
    while own.connect_ex(meeting):
        time.sleep(0.05)
    return [own]


def wait_for(other):
    assert other.recv(1)


def all_reduce():
    if rank != 0:
        others[0].send(b".")
    for other in others:
        wait_for(other)
    for other in others if rank == 0 else ():
        other.send(b".")


def load_batch(step):
    time.sleep(10**6 if stands_still(step) else 0.1)


def stands_still(step):
    return False


others = meet()
for step in range(1, steps + 1):
    load_batch(step)
    all_reduce()
    print(f"epoch: 1 step: {step}, loss is {1 / step}", flush=True)
"""


def events(run: RunDirectory) -> list[Event]:
    return RecordReader(run.layout.events).read()


def hangs(run: RunDirectory) -> list[HangFound]:
    return [event for event in events(run) if isinstance(event, HangFound)]


def last_step(run: RunDirectory) -> int:
    attempt = run.state().attempt
    return attempt.last_step.step if attempt is not None and attempt.last_step is not None else 0


def test_a_gang_of_which_a_rank_stands_still_is_stopped_and_the_rank_named(tmp_path: Path, home: Path) -> None:
    recipe = write_python_recipe(tmp_path, GANG, hang={"seconds": 3})
    with npu_launch_beside("run", recipe) as command:
        run = wait_until_running()
        wait_for(lambda: last_step(run) > 0, "a step is done")
        os.kill(pids(run)[2], signal.SIGSTOP)
        _, err = command.communicate(timeout=90)
    assert command.returncode == 1
    (hang,) = hangs(run)
    assert hang.fatal
    assert hang.odd == (2,)
    assert "ranks 0-1,3 in wait_for (test.py:" in hang.stacks
    assert "rank 2 stopped (SIGSTOP) in " in hang.stacks
    assert 3 <= hang.time - hang.since < 30
    assert hang.path is not None
    stacks = (run.path / hang.path).read_text()
    assert stacks.count("  main thread\n") == 4
    assert "no rank came on for" in err
    assert "rank 2 stopped (SIGSTOP)" in err
    status = json.loads(npu_launch("status", "--json").out)
    assert status["hang"]["odd"] == [2]
    state = run.state()
    assert state.first_failure is None
    assert state.attempt is not None and state.attempt.last_step is not None
    assert state.attempt.last_step.time <= hang.since + 0.01


def test_a_group_goes_on_after_a_standstill(tmp_path: Path, home: Path) -> None:
    script = GANG.replace("return False", "return rank == 1 and attempt == 1 and step == 5")
    recipe = write_python_recipe(
        tmp_path,
        script,
        args={"steps": 20},
        hang={"seconds": 3},
        restart={"policy": "group", "max_restarts": 2},
    )
    done = npu_launch("run", recipe)
    run = latest()
    assert done.code == 0, done.err
    (hang,) = hangs(run)
    assert hang.odd == (1,)
    assert "rank 1 in load_batch (test.py:" in hang.stacks
    decided = [event for event in events(run) if isinstance(event, Decided)]
    assert any("no rank came on for" in event.reason and event.decision == "restart_group" for event in decided)
    progress = [(event.attempt, event.step) for event in events(run) if isinstance(event, Progressed)]
    assert progress[-1] == (2, 20)
    assert max(step for attempt, step in progress if attempt == 1) >= 4


def test_without_step_lines_a_standstill_is_only_reported(tmp_path: Path, home: Path) -> None:
    recipe = write_python_recipe(
        tmp_path, "import time\n\n\ndef serve():\n    time.sleep(10**6)\n\n\nserve()\n", ranks=2, hang={"seconds": 2}
    )
    with npu_launch_beside("run", "-d", recipe) as command:
        command.wait()
    run = wait_until_running(2)
    wait_for(lambda: bool(hangs(run)), "the standstill is found")
    (hang,) = hangs(run)
    assert not hang.fatal
    assert hang.stacks == "ranks 0-1 in serve (test.py:5)"
    assert hang.odd == ()
    assert "no rank came on for" in npu_launch("status").out
    assert not run.state().phase.ended
    npu_launch("stop")
    assert len(hangs(run)) == 1


def test_ranks_that_compute_in_silence_do_not_stand_still(tmp_path: Path, home: Path) -> None:
    script = "import time\nend = time.monotonic() + 6\nwhile time.monotonic() < end: pass\n"
    recipe = write_python_recipe(tmp_path, script, ranks=1, hang={"seconds": 1, "policy": "stop", "first_step": 1})
    assert npu_launch("run", recipe).code == 0
    assert not hangs(latest())


def test_where_py_spy_may_not_look_ranks_write_their_stacks_as_they_end(tmp_path: Path, home: Path) -> None:
    undumpable = "import ctypes\nctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\n"  # PR_SET_DUMPABLE
    script = undumpable + GANG.replace("return False", "return rank == 3 and step == 5")
    recipe = write_python_recipe(tmp_path, script, hang={"seconds": 2})
    unprivileged = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"] if os.getuid() == 0 else []
    done = subprocess.run([*unprivileged, COMMAND, "run", recipe], capture_output=True, text=True, timeout=90)
    assert done.returncode == 1, done.stderr
    run = latest()
    *_, hang = hangs(run)
    assert hang.odd == (3,)
    assert "ranks 0-2 in wait_for (test.py:" in hang.stacks
    assert "rank 3 in load_batch (test.py:" in hang.stacks
    assert "rank 3 in load_batch" in done.stderr
    assert run.state().first_failure is None
    assert hang.path is not None and "load_batch" in (run.path / hang.path).read_text()


def test_an_independent_rank_that_is_slow_is_named(tmp_path: Path, home: Path) -> None:
    script = (
        "import os, time\n"
        "slow = os.environ['RANK_ID'] == '1'\n"
        "for step in range(1, 10**6):\n"
        "    time.sleep(0.5 if slow else 0.2)\n"
        "    print(f'epoch: 1 step: {step}, loss is 1.0', flush=True)\n"
    )
    recipe = write_python_recipe(tmp_path, script, ranks=3, gang=False)
    npu_launch("run", "-d", recipe)
    run = wait_until_running(3)
    wait_for(lambda: bool(run.state().stragglers), "the straggler is found", timeout=120)
    found = [event for event in events(run) if isinstance(event, StragglerFound)]
    assert [event.rank for event in found] == [1]
    assert found[0].slowdown > 1.3
    assert "rank 1 takes" in npu_launch("status").out
    npu_launch("stop")
    wait_until_ended(run)
