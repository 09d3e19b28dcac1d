"""Real runs of plain recipes: real processes, real signals, real Ray."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import psutil
import pytest

from launcher.errors import ExitCode
from launcher.runs.lock import is_held
from launcher.runs.state import RankPhase, RunPhase
from launcher.supervise.on_ray.hold import head_lock
from tests.conftest import SmallDisk
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

pytestmark = pytest.mark.usefixtures("home")
HOSTILE = "a'; touch x #"
SLEEP = "echo rank $RANK_ID; exec sleep 60"


def test_a_run_whose_ranks_all_succeed_succeeds(tmp_path: Path) -> None:
    done = npu_launch(write_recipe(tmp_path, "echo hello from $RANK_ID of $RANK_SIZE", ranks=8))
    assert done.code == ExitCode.OK
    assert "SUCCEEDED" in done.err
    assert "NO NPU" in done.err
    for rank in range(8):
        assert latest().rank_log(1, rank).read_text() == f"hello from {rank} of 8\n"


def test_a_rank_that_fails_takes_its_gang_down_and_is_named(tmp_path: Path) -> None:
    script = "sleep 0.3; if [ $RANK_ID = 2 ]; then echo 'ValueError: boom' >&2; exit 17; fi; exec sleep 60"
    began = time.monotonic()
    done = npu_launch(write_recipe(tmp_path, script))
    assert time.monotonic() - began < 30
    assert done.code == ExitCode.JOB_FAILED
    assert "rank 2" in done.err
    assert "exit code 17" in done.err
    assert "ValueError: boom" in done.err
    state = latest().state()
    assert state.first_failure is not None
    assert state.first_failure.rank == 2
    assert state.ranks_in(RankPhase.STOPPED) == (0, 1, 3)


def test_a_rank_that_is_killed_is_named_with_its_signal(tmp_path: Path) -> None:
    with npu_launch_beside(write_recipe(tmp_path, SLEEP)) as command:
        run = wait_until_running()
        os.kill(pids(run)[1], signal.SIGKILL)
        _, err = command.communicate(timeout=30)
    assert command.returncode == ExitCode.JOB_FAILED
    assert "rank 1" in err
    assert "SIGKILL" in err


def test_ranks_that_ignore_sigterm_are_killed_after_the_grace(tmp_path: Path) -> None:
    all_up = f"{{ [ -e {tmp_path}/up.1 ] && [ -e {tmp_path}/up.2 ] && [ -e {tmp_path}/up.3 ]; }}"
    script = (
        f"trap '' TERM; touch {tmp_path}/up.$RANK_ID; "
        f"if [ $RANK_ID = 0 ]; then until {all_up}; do sleep 0.05; done; exit 3; fi; while :; do sleep 0.2; done"
    )
    recipe = write_recipe(tmp_path, script, grace=1)
    assert npu_launch(recipe).code == ExitCode.JOB_FAILED
    exits = {r.rank: r.exit for r in latest().state().ranks.values()}
    assert exits[1] is not None
    assert exits[1].code == -signal.SIGKILL


def test_processes_that_ranks_leave_behind_are_ended(tmp_path: Path) -> None:
    script = f"(setsid sleep 300 & echo $! > {tmp_path}/daemon.$RANK_ID) ; exit 0"
    assert npu_launch(write_recipe(tmp_path, script, ranks=2)).code == ExitCode.OK
    for rank in range(2):
        assert not is_alive(int((tmp_path / f"daemon.{rank}").read_text()))


def test_stop_ends_a_detached_run(tmp_path: Path) -> None:
    detached = npu_launch("run", "-d", write_recipe(tmp_path, SLEEP))
    assert detached.code == ExitCode.OK
    run = wait_until_running()
    assert detached.out.strip() == run.id
    ranks = pids(run)
    assert npu_launch("stop", run.id).code == ExitCode.OK
    assert run.state().phase is RunPhase.STOPPED
    assert not any(map(is_alive, ranks.values()))


def test_a_second_terminal_follows_the_same_run(tmp_path: Path) -> None:
    script = f"echo first; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; echo last"
    npu_launch("run", "-d", write_recipe(tmp_path, script, ranks=2))
    run = wait_until_running(2)
    with npu_launch_beside("logs", "-f", run.id) as follower:
        assert follower.stdout is not None
        first = [follower.stdout.readline(), follower.stdout.readline()]
        (tmp_path / "go").touch()
        rest, _ = follower.communicate(timeout=30)
    assert sorted(first) == ["rank 0 | first\n", "rank 1 | first\n"]
    assert sorted(rest.splitlines()) == ["rank 0 | last", "rank 1 | last"]
    assert wait_until_ended(run).phase is RunPhase.SUCCEEDED


def test_sigterm_of_the_command_stops_the_run(tmp_path: Path) -> None:
    with npu_launch_beside(write_recipe(tmp_path, SLEEP)) as command:
        run = wait_until_running()
        command.terminate()
        command.communicate(timeout=30)
    assert command.returncode == ExitCode.INTERRUPTED
    assert run.state().phase is RunPhase.STOPPED


def test_the_run_outlives_the_command_that_started_it(tmp_path: Path) -> None:
    script = f"while [ ! -e {tmp_path}/go ]; do echo line; sleep 0.05; done"
    with npu_launch_beside(write_recipe(tmp_path, script)) as command:
        run = wait_until_running()
        os.killpg(command.pid, signal.SIGKILL)
        command.communicate(timeout=30)
    before = pids(run)
    written = [run.rank_log(1, rank).stat().st_size for rank in range(4)]
    wait_for(lambda: all(run.rank_log(1, r).stat().st_size > written[r] + 20 for r in range(4)), "ranks write on")
    (tmp_path / "go").touch()
    assert wait_until_ended(run).phase is RunPhase.SUCCEEDED
    assert pids(run) == before


def test_a_closed_terminal_does_not_end_the_run(tmp_path: Path) -> None:
    script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    with npu_launch_beside(write_recipe(tmp_path, script)) as command:
        run = wait_until_running()
        os.killpg(command.pid, signal.SIGHUP)
        command.communicate(timeout=30)
    assert all(map(is_alive, pids(run).values()))
    (tmp_path / "go").touch()
    assert wait_until_ended(run).phase is RunPhase.SUCCEEDED


def test_hostile_names_are_only_names(tmp_path: Path, home: Path) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    recipe = write_recipe(
        folder,
        'printf "%s\\n" "$@" "$HOSTILE"',
        name=HOSTILE,
        ranks=2,
        args={"text": HOSTILE},
        env={"HOSTILE": HOSTILE},
    )
    done = npu_launch(recipe, "--name", HOSTILE)
    assert done.code == ExitCode.OK, done.err
    assert latest().rank_log(1, 1).read_text() == f"--text={HOSTILE}\n{HOSTILE}\n"
    assert latest().state().name == HOSTILE
    assert not [*tmp_path.rglob("x"), *home.rglob("x")]


def test_a_rerun_starts_all_ranks_again(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, f"[ -e {tmp_path}/mended ] || exit 1")
    assert npu_launch(recipe).code == ExitCode.JOB_FAILED
    (tmp_path / "mended").touch()
    assert npu_launch("rerun").code == ExitCode.OK
    state = latest().state()
    assert [attempt.ranks for attempt in state.attempts] == [(0, 1, 2, 3), (0, 1, 2, 3)]


def test_a_rerun_of_failed_ranks_starts_only_those(tmp_path: Path) -> None:
    script = f"if [ $RANK_ID = 2 ]; then [ -e {tmp_path}/mended ] || exit 1; fi"
    recipe = write_recipe(tmp_path, script, gang=False)
    assert npu_launch(recipe).code == ExitCode.JOB_FAILED
    (tmp_path / "mended").touch()
    assert npu_launch("rerun", "--ranks", "failed").code == ExitCode.OK
    state = latest().state()
    assert state.attempts[1].ranks == (2,)
    assert state.phase is RunPhase.SUCCEEDED


def test_a_rerun_takes_changes_to_the_recipe(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, '[ "$1" = --n=2 ]', ranks=2, args={"n": 1})
    assert npu_launch(recipe).code == ExitCode.JOB_FAILED
    assert npu_launch("rerun", "--set", "args.n=2").code == ExitCode.OK


def test_a_rerun_goes_on_from_the_newest_checkpoint(tmp_path: Path) -> None:
    script = "\n".join(
        [
            'echo "args: $*"',
            "[ $NPU_LAUNCH_ATTEMPT = 2 ] && exit 0",
            'mkdir -p "$CKPT"; touch "$CKPT/1.ckpt"; sleep 0.02; touch "$CKPT/2.ckpt" "$CKPT/3.ckpt.partial"; exit 1',
        ]
    )
    recipe = write_recipe(
        tmp_path,
        script,
        ranks=1,
        env={"CKPT": "{checkpoint_dir}"},
        checkpoint={"dir": "{run_dir}/checkpoints", "resume_arg": "resume_from"},
    )
    assert npu_launch(recipe).code == ExitCode.JOB_FAILED
    assert npu_launch("rerun").code == ExitCode.OK
    run = latest()
    assert run.rank_log(1, 0).read_text() == "args: \n"
    assert run.rank_log(2, 0).read_text() == f"args: --resume_from={run.path}/checkpoints/2.ckpt\n"


def test_a_rerun_of_a_living_run_is_refused(tmp_path: Path) -> None:
    npu_launch("run", "-d", write_recipe(tmp_path, SLEEP))
    wait_until_running()
    refused = npu_launch("rerun")
    assert refused.code == ExitCode.USAGE
    assert "running" in refused.err
    npu_launch("stop")


def test_the_group_is_restarted_as_often_as_the_recipe_says(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, "exit 5", ranks=2, restart={"policy": "group", "max_restarts": 2})
    assert npu_launch(recipe).code == ExitCode.GAVE_UP
    state = latest().state()
    assert len(state.attempts) == 3
    assert state.phase is RunPhase.GAVE_UP


def test_a_program_that_is_gone_by_the_restart_is_no_case_for_another(tmp_path: Path) -> None:
    script = f"[ $RANK_ID = 0 ] && rm {tmp_path}/test.sh; exit 1"
    recipe = write_recipe(tmp_path, script, ranks=1, restart={"policy": "group", "max_restarts": 5})
    done = npu_launch(recipe)
    assert done.code == ExitCode.JOB_FAILED
    assert "cannot execute" in done.err
    assert len(latest().state().attempts) == 2


def test_a_run_keeps_its_number_of_ranks(tmp_path: Path) -> None:
    npu_launch(write_recipe(tmp_path, "exit 1", ranks=2))
    refused = npu_launch("rerun", "--set", "ranks=1")
    assert refused.code == ExitCode.USAGE
    assert "keeps its number of ranks" in refused.err
    assert len(latest().state().attempts) == 1


def test_ray_takes_the_run_over_and_the_keeper_takes_it_back(tmp_path: Path) -> None:
    script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    npu_launch("run", "-d", write_recipe(tmp_path, script))
    run = wait_until_running()
    before = pids(run)

    def supervised_by(whom: str) -> bool:
        supervisor = run.state().supervisor
        return supervisor is not None and supervisor.by == whom

    wait_for(lambda: supervised_by("ray"), "Ray supervises")
    os.kill(supervisor_pid(run), signal.SIGKILL)
    wait_for(lambda: supervised_by("keeper"), "the keeper supervises again")
    assert pids(run) == before
    assert all(map(is_alive, before.values()))
    (tmp_path / "go").touch()
    assert wait_until_ended(run).phase is RunPhase.SUCCEEDED


def test_a_run_on_a_ray_that_was_kept_leaves_no_ray_behind_when_it_is_let_go(tmp_path: Path) -> None:
    assert npu_launch("up").code == ExitCode.OK
    try:
        npu_launch("run", "-d", write_recipe(tmp_path, SLEEP))
        run = wait_until_running()
        wait_for(lambda: getattr(run.state().supervisor, "by", None) == "ray", "Ray supervises")
        os.kill(pids(run)[0], signal.SIGKILL)
        state = wait_until_ended(run)
        assert state.first_failure is not None
        assert state.first_failure.rank == 0
    finally:
        assert npu_launch("down").code == ExitCode.OK


def test_status_as_json_says_which_rank_failed(tmp_path: Path) -> None:
    npu_launch(write_recipe(tmp_path, "exit $RANK_ID", ranks=2))
    status = json.loads(npu_launch("status", "--json").out)
    assert status["run"] == latest().id
    assert npu_launch("ps", "--json").code == ExitCode.OK


def keeper_pid(home: Path) -> int:
    """The process beside the shim that supervises at first."""
    for process in psutil.process_iter(["cmdline", "environ"]):
        command, environment = process.info["cmdline"] or [], process.info["environ"] or {}
        if "launcher.supervise.keeper" in command and environment.get("NPU_LAUNCH_HOME") == str(home):
            return int(process.pid)
    raise AssertionError("no keeper")


def test_a_run_that_lost_its_keeper_early_is_seen_to_its_end(tmp_path: Path, home: Path) -> None:
    script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    with npu_launch_beside(write_recipe(tmp_path, script, ranks=2)) as command:
        run = wait_until_running(2)
        os.kill(keeper_pid(home), signal.SIGKILL)
        (tmp_path / "go").touch()
        command.communicate(timeout=60)
    assert command.returncode == ExitCode.OK
    assert run.state().phase is RunPhase.SUCCEEDED


def test_what_happened_while_nobody_supervised_is_told_later(tmp_path: Path, home: Path) -> None:
    npu_launch(
        "run", "-d", write_recipe(tmp_path, f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; exit 3", ranks=2)
    )
    run = wait_until_running(2)
    os.kill(keeper_pid(home), signal.SIGKILL)
    (tmp_path / "go").touch()
    wait_for(lambda: '"host_idle"' in run.shim_journal(run.state().hosts[0]).read_text(), "the ranks have ended")
    assert json.loads(npu_launch("status", "--json").out)["phase"] == "failed"


def test_of_two_reruns_at_once_one_is_refused(tmp_path: Path) -> None:
    script = f"[ $NPU_LAUNCH_ATTEMPT = 1 ] || while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
    npu_launch(write_recipe(tmp_path, script, ranks=2))
    with npu_launch_beside("rerun", "-d") as one, npu_launch_beside("rerun", "-d") as other:
        one.communicate(timeout=60)
        other.communicate(timeout=60)
    assert sorted([one.returncode, other.returncode]) == [ExitCode.OK, ExitCode.USAGE]
    (tmp_path / "go").touch()
    assert [attempt.number for attempt in wait_until_ended(latest()).attempts] == [1, 2]


def test_a_rerun_hears_its_ranks_when_the_journal_was_lost(tmp_path: Path) -> None:
    npu_launch(write_recipe(tmp_path, "exit 0", ranks=2))
    latest().shim_journal(latest().state().hosts[0]).write_bytes(b"")
    assert npu_launch("rerun").code == ExitCode.OK


def test_a_relative_home_is_the_same_home_for_every_process(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write_recipe(tmp_path, "exit 0", ranks=2)
    home.mkdir(exist_ok=True)
    monkeypatch.chdir(home.parent)
    monkeypatch.setenv("NPU_LAUNCH_HOME", home.name)
    began = time.monotonic()
    assert npu_launch(recipe).code == ExitCode.OK
    assert time.monotonic() - began < 30
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(home))
    assert latest().state().phase is RunPhase.SUCCEEDED


def test_another_tmpdir_finds_the_same_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npu_launch("run", "-d", write_recipe(tmp_path, SLEEP, ranks=2))
    wait_until_running(2)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    assert npu_launch("stop").code == ExitCode.OK
    assert latest().state().phase is RunPhase.STOPPED


def test_a_disk_that_fills_up_during_a_run_costs_no_event(
    tmp_path: Path, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(small_disk.path / "home"))
    ranks = 24  # whose events take more than a page
    script = f"while [ ! -e {tmp_path}/go ]; do sleep 0.1; done; exit 3"
    npu_launch("run", "-d", write_recipe(tmp_path, script, ranks=ranks, gang=False))
    run = wait_until_running(ranks)
    small_disk.fill()
    (tmp_path / "go").touch()
    wait_for(lambda: not any(map(is_alive, pids(run).values())), "the ranks have ended")
    time.sleep(1)  # whoever supervises meets the full disk now
    assert not run.state().phase.ended
    small_disk.make_room()
    state = wait_until_ended(run)
    assert state.phase is RunPhase.FAILED
    assert {rank.exit and rank.exit.code for rank in state.ranks.values()} == {3}, run.layout.events.read_text()
    wait_for(lambda: not run.is_supervised(), "the keeper has ended")
    wait_for(lambda: not is_held(head_lock()), "Ray has ended")
