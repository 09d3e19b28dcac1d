"""Real runs that fail: the verdict on them, and the fixes that a run or a person applies."""

from __future__ import annotations

import json
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import ExitCode, NpuLaunchError
from launcher.runs.events import Decided, Diagnosed, FaultSeen, Progressed, encode
from launcher.runs.record import RecordReader
from launcher.runs.state import RunPhase
from launcher.specs import load_recipe
from tests.cli.terminal import Terminal
from tests.end_to_end import (
    latest,
    npu_launch,
    npu_launch_beside,
    wait_for,
    wait_until_ended,
    write_python_recipe,
    write_recipe,
)

pytestmark = pytest.mark.usefixtures("home")

CAPTURES = Path(__file__).parent / "captures" / "diagnosis"
KNOBS = {"micro_batch": "args.batch_size", "accumulation": "args.accumulation"}

# A trainer whose device holds a micro batch of so many samples at most.
OUT_OF_MEMORY = f"""
import argparse, os, sys
options = argparse.ArgumentParser()
for name in ("batch_size", "accumulation", "fits"):
    options.add_argument(f"--{{name}}", type=int)
options = options.parse_args()
print("global batch", options.batch_size * options.accumulation * int(os.environ["RANK_SIZE"]), flush=True)
if options.batch_size > options.fits and os.environ["RANK_ID"] == "1":
    sys.exit(open({str(CAPTURES / "torch_npu_oom.log")!r}).read())
if options.batch_size > options.fits:
    import time
    time.sleep(300)
print("step 1, loss 0.5", flush=True)
"""


def too_large(folder: Path, fits: int) -> Path:
    args = {"batch_size": 8, "accumulation": 1, "fits": fits}
    return write_python_recipe(folder, OUT_OF_MEMORY, ranks=2, args=args, knobs=KNOBS)


def verdict() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(npu_launch("diagnose", "--json").out)
    return document


def global_batches() -> set[str]:
    """What ranks said of it, as far as they came to say anything before they were stopped."""
    logs = latest().path.glob("attempts/*/ranks/*/stdout.log")
    return {line for log in logs for line in log.read_text().splitlines() if line.startswith("global batch")}


def test_a_run_out_of_device_memory_mends_itself_and_keeps_its_global_batch(tmp_path: Path) -> None:
    done = npu_launch(too_large(tmp_path, fits=2), "--auto-fix", "apply")
    assert done.code == ExitCode.OK, done.err
    run = latest()
    recipe = load_recipe(run.layout.recipe)
    assert (recipe.args["batch_size"], recipe.args["accumulation"]) == (2, 4)
    assert global_batches() == {"global batch 16"}
    events = RecordReader(run.layout.events).read()
    assert [event.fix for event in events if isinstance(event, Decided) and event.fix] == ["halve_micro_batch"] * 2
    assert "attempt 2: device_oom on rank 1: args.batch_size 8 -> 4, args.accumulation 1 -> 2 (fix 1 of 3)" in done.err
    assert "attempt 3: device_oom on rank 1: args.batch_size 4 -> 2, args.accumulation 2 -> 4 (fix 2 of 3)" in done.err


def test_a_run_out_of_device_memory_ends_with_a_verdict_whose_fix_a_rerun_applies(tmp_path: Path) -> None:
    done = npu_launch(too_large(tmp_path, fits=4))
    assert done.code == ExitCode.JOB_FAILED
    run = latest()
    for words in (
        "device_oom  high confidence  (exit code 1)",
        "line    ranks/1/stdout.log:2  RuntimeError: NPU out of memory. Tried to allocate 5.03 GiB",
        "others  rank 0 stopped by npu-launch",
        "fix     1  args.batch_size 8 -> 4, args.accumulation 1 -> 2 ",
        f"npu-launch rerun {run.id} --fix 1",
        "retry   no: the same shapes fail again",
    ):
        assert words in done.err, done.err
    found = verdict()
    assert (found["cause"], found["root"]["rank"], found["suggestions"][0]["id"]) == (
        "device_oom",
        1,
        "halve_micro_batch",
    )
    assert "there is no fix 99" in npu_launch("rerun", "--fix", "99").err
    by_hand = next(each["number"] for each in found["suggestions"] if not each["overrides"])
    refused = npu_launch("rerun", "--fix", str(by_hand))
    assert (refused.code, "is not one that a rerun can make" in refused.err) == (ExitCode.USAGE, True)
    assert len(run.state().attempts) == 1

    again = npu_launch("rerun", "--fix", "1")
    assert again.code == ExitCode.OK, again.err
    assert global_batches() == {"global batch 16"}
    assert any("halve_micro_batch: args.batch_size 8 -> 4" in note.text for note in run.state().notes)


def test_who_follows_at_a_terminal_is_asked_whether_to_start_again_with_the_fix(tmp_path: Path) -> None:
    screen = Terminal(str(too_large(tmp_path, fits=4)), "--auto-fix", "ask")
    try:
        screen.expect("fix 1: args.batch_size 8 -> 4")
        screen.expect(r"start it again with this")
        screen.type("y\n")
        assert screen.wait() == ExitCode.OK
    finally:
        screen.close()
    assert global_batches() == {"global batch 16"}


def test_a_variable_that_mends_a_graph_is_set_once(tmp_path: Path) -> None:
    script = f'if [ "$ENABLE_FORCE_V2_CONTROL" = 1 ]; then exit 0; fi; cat {CAPTURES / "v1_control_op.log"} >&2; exit 1'
    done = npu_launch(write_recipe(tmp_path, script, ranks=1), "--auto-fix", "apply")
    assert done.code == ExitCode.OK, done.err
    assert "env ENABLE_FORCE_V2_CONTROL=1" in done.err


HCCL_PORT = "EJ0003: [PID: 159] Failed to bind the IP port. Reason: The IP address and port have been bound already."
RENDEZVOUS = "RuntimeError: The server socket has failed to bind to [::]:29500 (errno: 98 - Address already in use)."
BUSY = (
    "[ERROR] RUNTIME(7,python):2025-10-28-17:45:13.679.001 [stars_engine.cc:1] event wait timeout occurred during task "
    "execution, stream_id:122, sq_id:122, task_id:790, event_id=73, timeout=1836."
)
NO_LINK = (
    "[ERROR] HCCL(7,python):2025-10-28-17:45:13.679.001 [hccl_socket_manager.cc:1] [Wait][LinkEstablish]wait socket "
    "establish timeout, role[0] rank[0] timeout[120 s]"
)


@pytest.mark.parametrize(
    ("variable", "default", "line", "words"),
    [
        ("HCCL_IF_BASE_PORT", "60000", HCCL_PORT, "env HCCL_IF_BASE_PORT=60064"),
        ("HCCL_EXEC_TIMEOUT", "1836", BUSY, "env HCCL_EXEC_TIMEOUT=3672"),
        ("MASTER_PORT", "29500", RENDEZVOUS, "env MASTER_PORT=29517"),
    ],
)
def test_a_port_that_is_taken_and_a_wait_that_is_too_short_are_changed_once(
    variable: str, default: str, line: str, words: str, tmp_path: Path
) -> None:
    """The rank fails, with the line of the fault, until the variable has another value."""
    script = f'if [ "${variable}" = {default} ]; then echo "{line}" >&2; exit 1; fi; echo step 1, loss 0.5'
    done = npu_launch(write_recipe(tmp_path, script, ranks=1, env={variable: default}), "--auto-fix", "apply")
    assert done.code == ExitCode.OK, done.err
    assert f"{words} (was {default}) (fix 1 of 1)" in done.err


def test_a_wait_for_links_grows_once_a_start_has_been_slow(tmp_path: Path) -> None:
    script = f"""
tries="{tmp_path}/tries"; echo >> "$tries"
if [ "$(wc -l < "$tries")" = 1 ]; then echo step 1, loss 0.5; exit 1; fi
if [ "$HCCL_CONNECT_TIMEOUT" != 600 ]; then echo "{NO_LINK}" >&2; exit 1; fi
"""
    recipe = write_recipe(tmp_path, script, ranks=1, restart={"auto_fix": "apply"})
    assert npu_launch(recipe).code == ExitCode.JOB_FAILED
    events = RecordReader(latest().layout.events).read()
    moved = [
        event.model_copy(update={"time": event.time - 90}) for event in events if not isinstance(event, Progressed)
    ]
    assert len(moved) < len(events), "its first step was seen"
    before = next(place for place, event in enumerate(events) if isinstance(event, Progressed))
    slow = [*moved[:before], *events[before:]]
    latest().layout.events.write_bytes(b"".join(map(encode, slow)))  # as if it had taken so long to that step

    again = npu_launch("rerun")
    assert again.code == ExitCode.OK, again.err
    assert "hccl_connect_timeout" in again.err and "env HCCL_CONNECT_TIMEOUT=600" in again.err, (
        again.err + latest().layout.events.read_text()
    )


def test_a_rank_that_raises_is_the_root_and_those_that_waited_for_it_are_not(tmp_path: Path) -> None:
    script = f"""
import os, sys, time, pathlib
rank, there = int(os.environ["RANK_ID"]), pathlib.Path({str(tmp_path)!r})
if rank == 2:
    (there / "raised").touch()
    raise KeyError("labels")
while not (there / "raised").exists():
    time.sleep(0.01)
stamp = time.strftime("%Y-%m-%d-%H:%M:%S", time.localtime(time.time() + 1)) + ".000.000"
print(f"[ERROR] HCCL({{os.getpid()}},python):{{stamp}} [task_exception_handler.cc:900] [TaskExceptionHandler]Task from "
      f"HCCL run failed. Base info: taskType[Notify Wait], remote rank:[2], rankId[{{rank}}]", flush=True)
time.sleep(300)
"""
    npu_launch(write_python_recipe(tmp_path, script, grace=0.2), "-d")
    assert wait_until_ended(latest()).phase is RunPhase.FAILED
    found = verdict()
    assert (found["category"], found["root"]["rank"]) == ("user_code", 2)
    assert "KeyError: 'labels'" in found["evidence"][0]["text"]
    events = RecordReader(latest().layout.events).read()
    assert not [event for event in events if isinstance(event, Decided) and event.fix]
    assert {event.cause for event in events if isinstance(event, Diagnosed)} <= {found["cause"]}


def faults() -> list[FaultSeen]:
    """What was seen in the latest run; nothing before there is one."""
    with suppress(NpuLaunchError, OSError):
        events = RecordReader(latest().layout.events).read()
        return [event for event in events if isinstance(event, FaultSeen)]
    return []


def scanners() -> list[int]:
    """The processes that look through the logs of the latest run."""
    wanted = f"-m\0launcher.supervise.scan\0{latest().path}\0".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if wanted in process.read_bytes():
                found.append(int(process.parent.name))
    return found


def test_a_fault_of_a_rank_that_goes_on_is_told_once_whatever_becomes_of_who_saw_it(tmp_path: Path) -> None:
    script = f"""
cat {CAPTURES / "torch_npu_oom.log"}
until [ -e "{tmp_path}/more" ]; do sleep 0.1; done
echo "{NO_LINK}"
until [ -e "{tmp_path}/enough" ]; do sleep 0.1; done
"""
    recipe = write_recipe(tmp_path, script, ranks=1)
    with npu_launch_beside(recipe) as command:
        wait_for(lambda: bool(faults()), "it is seen")
        shown = npu_launch("status").out
        assert "fault   rank 0: the NPU's memory is used up (device_oom): ranks/0/stdout.log:1" in shown
        (scanner,) = scanners()
        os.kill(scanner, signal.SIGKILL)
        (tmp_path / "more").touch()
        wait_for(lambda: len(faults()) > 1, "what comes then is seen")
        (tmp_path / "enough").touch()
        _, told = command.communicate(timeout=60)
    assert [fault.cause for fault in faults()] == ["device_oom", "hccl_connect_timeout"]
    assert told.count("(device_oom): ranks/0/stdout.log:1") == 2, "when it is seen, and in the summary"
    wait_for(lambda: not scanners(), "it ends with the ranks")


def test_a_run_that_succeeded_has_no_fault(tmp_path: Path) -> None:
    assert npu_launch(write_recipe(tmp_path, "echo step 1, loss 0.5", ranks=2)).code == ExitCode.OK
    told = npu_launch("diagnose")
    assert (told.code, "no fault found" in told.out) == (ExitCode.OK, True)
    assert "there is nothing to fix" in npu_launch("rerun", "--fix", "1").err
