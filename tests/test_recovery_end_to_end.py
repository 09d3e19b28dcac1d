"""Real runs that fail and come back: what is started again, where, and what is not."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import psutil
import pytest

from launcher.errors import ExitCode
from launcher.runs.events import Cause, Slot
from launcher.runs.record import RecordReader
from launcher.runs.state import RankPhase, RunPhase
from launcher.runs.store import RunDirectory
from tests.end_to_end import (
    is_alive,
    latest,
    npu_launch,
    npu_launch_beside,
    pids,
    supervisor_pid,
    wait_for,
    wait_until_ended,
    wait_until_running,
    write_recipe,
)
from tests.test_runs_end_to_end import keeper_pid

pytestmark = pytest.mark.usefixtures("home")


def shim_pid(run: RunDirectory) -> int:
    return int(run.shim_lock(run.state().hosts[0]).read_text())


def types(run: RunDirectory) -> list[str]:
    return [event.type for event in RecordReader(run.layout.events).read()]


def cluster(folder: Path, slots: int) -> Path:
    """A CPU cluster of this machine with so many places for processes."""
    path = folder / "cluster.yaml"
    host = {"name": "here", "address": "127.0.0.1", "devices": slots}
    path.write_text(json.dumps({"name": "small", "soc": "CPU", "hosts": [host]}))
    return path


def group(**more: object) -> dict[str, object]:
    return {"policy": "group", "max_restarts": 3, "backoff": 0.1, "without_progress": 0, **more}


def test_a_gang_whose_shim_was_killed_starts_again_under_another(tmp_path: Path) -> None:
    script = f"(setsid sleep 300 &) ; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    with npu_launch_beside(write_recipe(tmp_path, script, restart=group())) as command:
        run = wait_until_running()
        before = pids(run)
        os.kill(shim_pid(run), signal.SIGKILL)
        wait_for(lambda: len(run.state().attempts) == 2, "the group starts again")
        wait_until_running()
        (tmp_path / "go").touch()
        command.communicate(timeout=60)
    assert command.returncode == ExitCode.OK
    assert not any(map(is_alive, before.values()))
    assert run.state().spent[Cause.INFRASTRUCTURE] == 1


def test_independent_ranks_that_fail_start_again_beside_the_others(tmp_path: Path) -> None:
    script = (
        f"if [ $RANK_ID = 1 ] && [ $NPU_LAUNCH_ATTEMPT = 1 ]; then exit 3; fi; touch {tmp_path}/rank.$RANK_ID;"
        f"until [ -e {tmp_path}/rank.1 ]; do sleep 0.05; done"
    )
    recipe = write_recipe(tmp_path, script, gang=False, restart={"policy": "ranks", "max_restarts": 2})
    done = npu_launch(recipe)
    assert done.code == ExitCode.OK, done.err
    state = latest().state()
    assert [attempt.ranks for attempt in state.attempts] == [(0, 1, 2, 3), (1,)]
    assert {rank.attempt for rank in state.ranks.values()} == {1, 2}


def test_independent_ranks_that_use_their_restarts_up_fail_the_run_when_the_others_have_ended(tmp_path: Path) -> None:
    script = "[ $RANK_ID = 1 ] && exit 3; sleep 0.5"
    recipe = write_recipe(tmp_path, script, gang=False, restart={"policy": "ranks", "max_restarts": 2, "backoff": 0.1})
    assert npu_launch(recipe).code == ExitCode.GAVE_UP
    state = latest().state()
    assert state.ranks_in(RankPhase.SUCCEEDED) == (0, 2, 3)
    assert len(state.attempts) == 3


def test_a_script_that_cannot_begin_is_not_started_again(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import no_such_module\n")
    recipe = tmp_path / "recipe.yaml"
    spec = {"name": "t", "framework": "plain", "ranks": 2, "script": "train.py", "restart": group()}
    recipe.write_text(json.dumps(spec))
    npu_launch("run", "-d", recipe)
    state = wait_until_ended(latest())
    assert state.phase is RunPhase.FAILED
    assert len(state.attempts) == 1
    failure = state.ranks[0].failure or state.ranks[1].failure
    assert failure is not None
    assert failure.evidence == "ModuleNotFoundError: No module named 'no_such_module'"
    assert "never began to train" in state.reason


def test_a_place_that_failed_twice_is_taken_by_a_spare(tmp_path: Path) -> None:
    script = "[ $DEVICE_ID = 1 ] && kill -9 $$; sleep 0.2"
    recipe = write_recipe(tmp_path, script, ranks=2, restart=group())
    done = npu_launch(recipe, "-c", cluster(tmp_path, 3))
    assert done.code == ExitCode.OK, done.err
    state = latest().state()
    assert state.excluded == {Slot(host="here", device=1)}
    assert state.ranks[1].slot == 2
    assert len(state.attempts) == 3


def test_an_independent_rank_moves_to_a_spare_when_its_place_failed_twice(tmp_path: Path) -> None:
    script = f"[ $DEVICE_ID = 1 ] && kill -9 $$; until [ -e {tmp_path}/go ]; do sleep 0.05; done"
    policy = {"policy": "ranks", "max_restarts": 3, "backoff": 0.1}
    recipe = write_recipe(tmp_path, script, ranks=2, gang=False, restart=policy)
    with npu_launch_beside(recipe, "-c", cluster(tmp_path, 3)) as command:
        run = wait_until_running(2)
        wait_for(lambda: run.state().ranks[1].slot == 2, "rank 1 sits on the spare")
        wait_until_running(2)
        assert run.state().ranks[0].attempt == 1
        (tmp_path / "go").touch()
        command.communicate(timeout=60)
    assert command.returncode == ExitCode.OK
    assert run.state().excluded == {Slot(host="here", device=1)}


def test_an_elastic_group_goes_on_with_fewer_ranks_and_the_same_global_batch(tmp_path: Path) -> None:
    script = '[ $DEVICE_ID = 1 ] && kill -9 $$; echo "$RANK_SIZE $*"; sleep 0.2'
    recipe = write_recipe(
        tmp_path,
        script,
        ranks=4,
        args={"batch": 2, "accumulation": 1},
        knobs={"micro_batch": "args.batch", "accumulation": "args.accumulation"},
        restart=group(policy="elastic"),
    )
    done = npu_launch(recipe, "-c", cluster(tmp_path, 4))
    assert done.code == ExitCode.OK, done.err
    run = latest()
    assert run.state().world_size == 2
    assert run.rank_log(3, 0).read_text() == "2 --batch=2 --accumulation=2\n"


def test_a_shim_that_hangs_is_suspected_fenced_and_replaced(tmp_path: Path) -> None:
    script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    recipe = write_recipe(tmp_path, script, ranks=2, grace=0.5, lease=1, restart=group())
    with npu_launch_beside(recipe) as command:
        run = wait_until_running(2)
        before = pids(run)
        os.kill(shim_pid(run), signal.SIGSTOP)
        wait_for(lambda: "host_suspected" in types(run), "the host is suspected")
        assert all(map(is_alive, before.values()))
        wait_for(lambda: len(run.state().attempts) == 2, "the group starts again")
        assert not any(map(is_alive, before.values()))
        (tmp_path / "go").touch()
        command.communicate(timeout=60)
    assert command.returncode == ExitCode.OK
    seen = [t for t in types(run) if t.startswith("host_") and t != "host_idle"]
    assert seen[:3] == ["host_suspected", "host_unreachable", "host_fenced"]


def test_a_detached_run_that_lost_all_its_supervisors_finds_a_new_one(tmp_path: Path, home: Path) -> None:
    script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    npu_launch("run", "-d", write_recipe(tmp_path, script, ranks=2, lease=2))
    run = wait_until_running(2)
    before = pids(run)
    wait_for(lambda: getattr(run.state().supervisor, "by", None) == "ray", "Ray supervises")
    first = supervisor_pid(run)
    for pid in (keeper_pid(home), first):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: supervisor_pid(run) != first, "somebody supervises again")
    assert pids(run) == before
    assert all(map(is_alive, before.values()))
    (tmp_path / "go").touch()
    assert wait_until_ended(run).phase is RunPhase.SUCCEEDED


def agent_pid() -> int:
    """The Ray actor that speaks with the shims of this home."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        command, environment = process.info["cmdline"] or [], process.info["environ"] or {}
        is_ours = environment.get("NPU_LAUNCH_HOME") == os.environ["NPU_LAUNCH_HOME"]
        if is_ours and command and command[0].startswith("ray::Agent"):
            return int(process.pid)
    raise AssertionError("no agent")


def test_an_agent_that_hangs_is_replaced_and_the_ranks_run_on(tmp_path: Path) -> None:
    script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 3"
    npu_launch("run", "-d", write_recipe(tmp_path, script, ranks=2, lease=1, grace=0.5))
    run = wait_until_running(2)
    before = pids(run)
    wait_for(lambda: getattr(run.state().supervisor, "by", None) == "ray", "Ray supervises")
    os.kill(agent_pid(), signal.SIGSTOP)
    wait_for(lambda: "host_back" in types(run), "the shim is reached past the agent")
    assert "host_unreachable" not in types(run)
    assert all(map(is_alive, before.values()))
    (tmp_path / "go").touch()
    state = wait_until_ended(run)
    assert state.phase is RunPhase.FAILED
    assert state.first_failure is not None
    assert pids(run) == before
