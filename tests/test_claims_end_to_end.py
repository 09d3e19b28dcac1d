"""Runs share a machine's devices and ports, and what a crash of everything leaves is found and ended."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from launcher.errors import ExitCode
from launcher.runs.home import runtime_path
from launcher.runs.lock import is_held
from launcher.runs.state import RunPhase
from launcher.runs.store import RunDirectory, all_runs, find_run
from launcher.supervise.shim.claims import is_claimed, read_holder
from tests.end_to_end import (
    is_alive,
    latest,
    npu_launch,
    npu_launch_beside,
    pids,
    wait_for,
    wait_until_ended,
    wait_until_running,
    write_recipe,
)
from tests.site import Site

pytestmark = pytest.mark.usefixtures("home")
SLEEP = "exec sleep 60"


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with eight NPUs."""
    (host,) = Site(tmp_path / "site", 1, "910B3").hosts
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)


def npu_recipe(folder: Path, script: str = SLEEP, **fields: object) -> Path:
    cluster = {"name": "c", "soc": "Ascend910B3", "hosts": [{"name": "here", "address": "127.0.0.1", "devices": 8}]}
    (folder / "cluster.yaml").write_text(json.dumps(cluster))
    return write_recipe(folder, script, **{"cluster": "cluster.yaml", **fields})  # type: ignore[arg-type]


def started(recipe: Path, *options: str) -> RunDirectory:
    done = npu_launch("run", "-d", recipe, *options)
    assert done.code == ExitCode.OK, done.err
    return find_run(done.out.strip())


def devices(run: RunDirectory, attempt: int = 1) -> list[int]:
    plan = json.loads(run.layout.attempt(attempt).plan.read_text())
    return [rank["device"] for rank in plan["ranks"]]


def hccl_port(run: RunDirectory) -> int:
    return int(json.loads(run.layout.attempt(1).plan.read_text())["ranks"][0]["env"]["HCCL_IF_BASE_PORT"])


def stop(*runs: RunDirectory) -> None:
    for run in runs:
        assert npu_launch("stop", run.id).code == ExitCode.OK


def test_a_second_run_takes_free_devices_and_other_ports(tmp_path: Path) -> None:
    recipe = npu_recipe(tmp_path)
    first, second = started(recipe), started(recipe)
    assert devices(first) == [0, 1, 2, 3]
    assert devices(second) == [4, 5, 6, 7]
    assert abs(hccl_port(first) - hccl_port(second)) >= 64
    stop(first, second)


def test_a_run_is_refused_when_too_few_devices_are_free_and_the_holder_is_named(tmp_path: Path) -> None:
    first = started(npu_recipe(tmp_path, ranks=6))
    refused = npu_launch("run", npu_recipe(tmp_path, name="next"))
    assert refused.code == ExitCode.PREFLIGHT_REFUSED
    assert "2 of 8 devices are free" in refused.err
    assert f"run {first.id}" in refused.err
    assert "--wait" in refused.err
    assert [run.id for run in all_runs()] == [first.id]
    stop(first)


def test_a_run_that_waits_in_line_starts_when_devices_are_free(tmp_path: Path) -> None:
    first = started(npu_recipe(tmp_path, ranks=8))
    with npu_launch_beside("run", npu_recipe(tmp_path, "true", name="next"), "--wait") as waiting:
        assert waiting.stderr is not None
        assert f"run {first.id}" in waiting.stderr.readline()
        assert len(all_runs()) == 1
        stop(first)
        waiting.communicate(timeout=60)
    assert waiting.returncode == ExitCode.OK
    assert len(set(devices(latest()))) == 4  # whichever the first let go of first: a process that ends does so in turn


def test_who_comes_first_is_served_first(tmp_path: Path) -> None:
    recipe = npu_recipe(tmp_path, ranks=8)
    first = started(recipe)
    with npu_launch_beside("run", recipe, "-d", "--name", "one", "--wait") as one:
        assert one.stderr is not None
        assert "waits for 8 free devices" in one.stderr.readline()
        with npu_launch_beside("run", recipe, "-d", "--name", "two", "--wait") as two:
            assert two.stderr is not None
            assert "waits in line, behind" in two.stderr.readline()
            stop(first)
            one.communicate(timeout=60)
            assert "waits for 8 free devices" in two.stderr.readline()
            assert devices(find_run("one")) == list(range(8))
            stop(find_run("one"))
            two.communicate(timeout=60)
    assert find_run("two").state().phase is RunPhase.RUNNING
    stop(find_run("two"))


def test_an_interrupt_leaves_the_line(tmp_path: Path) -> None:
    recipe = npu_recipe(tmp_path, ranks=8)
    first = started(recipe)
    with npu_launch_beside("run", recipe, "--wait") as head, npu_launch_beside("run", recipe, "--wait") as behind:
        for waiting in (head, behind):
            assert waiting.stderr is not None
            assert "waits" in waiting.stderr.readline()
        for waiting in (behind, head):
            waiting.send_signal(signal.SIGINT)
            waiting.communicate(timeout=30)
            assert waiting.returncode == ExitCode.INTERRUPTED
    assert len(all_runs()) == 1
    stop(first)


def test_runs_one_after_the_other_find_the_devices_free(tmp_path: Path) -> None:
    recipe = npu_recipe(tmp_path, "true", ranks=8)
    for _ in range(3):
        assert npu_launch("run", recipe).code == ExitCode.OK


def test_a_run_keeps_its_devices_through_a_restart(tmp_path: Path) -> None:
    other = started(npu_recipe(tmp_path, name="other", ranks=2))
    script = f"if [ $NPU_LAUNCH_ATTEMPT$RANK_ID = 10 ]; then until [ -e {tmp_path}/go ]; do sleep 0.1; done; exit 3; fi"
    run = started(npu_recipe(tmp_path, f"{script}; {SLEEP}", restart={"policy": "group", "max_restarts": 1}))
    stop(other)
    (tmp_path / "go").touch()
    wait_for(lambda: run.layout.attempt(2).plan.exists(), "the second attempt")
    wait_until_running()
    assert devices(run, 1) == devices(run, 2) == [2, 3, 4, 5]
    stop(run)


def test_a_shim_that_is_killed_frees_its_devices(tmp_path: Path) -> None:
    recipe = npu_recipe(tmp_path, ranks=8)
    first = started(recipe)
    wait_until_running(8)
    os.kill(int(first.shim_lock("here").read_text()), signal.SIGKILL)
    second = started(recipe)
    assert devices(second) == list(range(8))
    wait_until_ended(first)
    stop(second)


def test_the_record_of_a_run_names_the_holder_of_its_claims(tmp_path: Path, home: Path) -> None:
    run = started(npu_recipe(tmp_path, ranks=1))
    path = f"{os.environ['NPU_LAUNCH_CLAIMS']}/device-0"
    assert is_claimed(path)
    holder = read_holder(path)
    assert holder["run"] == run.id
    assert holder["pid"] == int(run.shim_lock("here").read_text())
    stop(run)


# -- after a crash of everything ------------------------------------------------------------------------------------


def crash(run: RunDirectory, home: Path) -> None:
    """Kill all that keeps a run, as a power loss does, and remove its sockets; what its ranks detached survives."""
    shim = int(run.shim_lock(run.state().hosts[0]).read_text())
    while others := [p for p in psutil.process_iter() if p.pid != shim and _keeps(p, home)]:  # Ray may be coming up
        for process in others:
            with suppress(psutil.NoSuchProcess):
                below = process.children(recursive=True)  # actors overwrite their environment with their title
                for each in (process, *below):
                    each.kill()
                psutil.wait_procs([process, *below], 20)
    wait_for(lambda: not run.is_supervised(), "no thread of a supervisor is left")
    os.kill(shim, signal.SIGKILL)
    wait_for(lambda: not is_held(run.shim_lock(run.state().hosts[0])), "the shim is gone")
    shutil.rmtree(runtime_path())


def _keeps(process: psutil.Process, home: Path) -> bool:
    try:
        environment = process.environ()
    except psutil.Error:
        return False
    return environment.get("NPU_LAUNCH_HOME") == str(home) and "NPU_LAUNCH_RANK" not in environment


def detaching(folder: Path) -> str:
    """A rank that leaves a process in a session of its own, deaf to SIGTERM, and sleeps in its first attempt."""
    return (
        f"[ $NPU_LAUNCH_ATTEMPT = 1 ] || exit 0; setsid bash -c \"trap '' TERM; while :; do sleep 0.1; done\" &"
        f" echo $! > {folder}/orphan.$RANK_ID; exec sleep 60"
    )


def orphans(folder: Path, ranks: int) -> list[int]:
    return [int((folder / f"orphan.{rank}").read_text()) for rank in range(ranks)]


def test_a_run_is_lost_after_a_crash_of_everything_and_runs_again(tmp_path: Path, home: Path) -> None:
    run = started(write_recipe(tmp_path, detaching(tmp_path), ranks=2))
    wait_until_running(2)
    ranks = pids(run)
    wait_for(lambda: all((tmp_path / f"orphan.{rank}").exists() for rank in range(2)), "the ranks have detached")
    crash(run, home)
    wait_for(lambda: not any(map(is_alive, ranks.values())), "ranks end with their shim")
    assert run.state().phase is RunPhase.LOST
    assert all(map(is_alive, orphans(tmp_path, 2)))
    assert npu_launch("rerun", run.id).code == ExitCode.OK
    assert not any(map(is_alive, orphans(tmp_path, 2)))
    state = run.state()
    assert state.phase is RunPhase.SUCCEEDED
    assert [attempt.number for attempt in state.attempts] == [1, 2]


def test_orphans_are_listed_and_ended_and_living_runs_are_spared(tmp_path: Path, home: Path) -> None:
    run = started(write_recipe(tmp_path, detaching(tmp_path), ranks=2))
    wait_until_running(2)
    wait_for(lambda: all((tmp_path / f"orphan.{rank}").exists() for rank in range(2)), "the ranks have detached")
    crash(run, home)
    alive = started(write_recipe(tmp_path, SLEEP, name="alive", ranks=2))
    wait_until_running(2)
    left = orphans(tmp_path, 2)
    done = npu_launch("stop", "--orphans")
    assert done.code == ExitCode.OK
    for pid in left:
        assert f"ended: pid {pid}, run {run.id}: bash -c" in done.out
        assert not is_alive(pid)
    assert all(map(is_alive, pids(alive).values()))
    assert f"run {run.id}" not in npu_launch("stop", "--orphans").out
    stop(alive)


def test_orphans_of_a_run_whose_folder_is_gone_are_ended(tmp_path: Path, home: Path) -> None:
    run = started(write_recipe(tmp_path, detaching(tmp_path), ranks=1))
    wait_until_running(1)
    wait_for((tmp_path / "orphan.0").exists, "the rank has detached")
    crash(run, home)
    shutil.rmtree(run.path)
    assert f"run {run.id}" in npu_launch("stop", "--orphans").out
    assert not is_alive(orphans(tmp_path, 1)[0])


def test_a_process_that_only_knows_a_runs_name_is_no_orphan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPU_LAUNCH_RUN", "gone-0000")
    with subprocess.Popen(["sleep", "60"]) as mine:
        try:
            assert f"pid {mine.pid}," not in npu_launch("stop", "--orphans").out
            assert mine.poll() is None
        finally:
            mine.kill()


def test_a_run_that_a_rank_started_is_not_taken_for_the_ranks(tmp_path: Path) -> None:
    """Its keepers have none of the tags that they would inherit."""
    os.environ.update(NPU_LAUNCH_RUN="outer-0000", NPU_LAUNCH_ATTEMPT="1", NPU_LAUNCH_RUN_DIRECTORY="/nowhere/outer")
    try:
        run = started(write_recipe(tmp_path, SLEEP, ranks=1))
        wait_until_running(1)
    finally:
        for name in ("NPU_LAUNCH_RUN", "NPU_LAUNCH_ATTEMPT", "NPU_LAUNCH_RUN_DIRECTORY"):
            del os.environ[name]
    assert "outer-0000" not in npu_launch("stop", "--orphans").out
    assert is_alive(pids(run)[0])
    stop(run)


def test_orphans_go_for_all_runs() -> None:
    refused = npu_launch("stop", "--orphans", "x")
    assert refused.code == ExitCode.USAGE
    assert "npu-launch stop x" in refused.err
