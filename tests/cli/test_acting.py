"""plan, run --dry-run, stop and rerun on this machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.runs.state import RunPhase
from launcher.runs.store import all_runs
from tests.end_to_end import latest, npu_launch, npu_launch_beside, wait_until_ended, wait_until_running, write_recipe

pytestmark = pytest.mark.usefixtures("home")


@pytest.mark.parametrize("arguments", [("plan",), ("run", "--dry-run"), ("plan", "-o", "json"), ("plan", "-o", "sh")])
def test_a_plan_is_shown_and_nothing_is_made(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    recipe = write_recipe(tmp_path, "touch started")
    before = sorted(tmp_path.rglob("*"))
    done = npu_launch(*arguments, recipe, "--set", "ranks=2", "--env", "COLOUR=blue")
    assert done.code == ExitCode.OK
    assert "COLOUR" in done.out
    assert "NO NPU WAS FOUND" in done.err
    assert sorted(tmp_path.rglob("*")) == before
    assert all_runs() == []
    if arguments[-1] == "json":
        assert json.loads(done.out)["world_size"] == 2


def test_a_recipe_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    done = npu_launch(tmp_path / "none.yaml")
    assert done.code == ExitCode.USAGE
    assert f"{tmp_path}/none.yaml" in done.err


def test_stopping_waits_until_the_ranks_are_gone(tmp_path: Path) -> None:
    npu_launch("run", "-d", write_recipe(tmp_path, "exec sleep 60"))
    run = wait_until_running()
    done = npu_launch("stop")
    assert done.code == ExitCode.OK
    assert "STOPPED" in done.err
    assert run.state().phase is RunPhase.STOPPED
    again = npu_launch("stop", run.id)
    assert again.code == ExitCode.OK
    assert f"run {run.id} had already ended: STOPPED after " in again.err


def test_a_rerun_with_a_change_tells_only_of_its_own_attempt(tmp_path: Path) -> None:
    script = 'echo "arguments: $*"; case "$*" in *good*) exit 0;; esac; exit 3'
    recipe = write_recipe(tmp_path, script, args={"how": "bad"}, restart={"policy": "never"})
    assert npu_launch(recipe).code == ExitCode.JOB_FAILED
    done = npu_launch("rerun", "--set", "args.how=good")
    assert done.code == ExitCode.OK
    assert "attempt 2: starting 4 ranks" in done.err
    assert "attempt 1:" not in done.err
    assert "failed" not in done.err
    assert latest().state().phase is RunPhase.SUCCEEDED
    nothing = npu_launch("rerun", "--ranks", "failed")
    assert nothing.code == ExitCode.USAGE


def test_only_the_failed_ranks_of_a_plain_job_run_again(tmp_path: Path) -> None:
    script = f'echo here; [ "$RANK_ID" = 2 ] && [ ! -e "{tmp_path}/mended" ] && exit 3; exit 0'
    recipe = write_recipe(tmp_path, script, gang=False, restart={"policy": "never"})
    assert npu_launch(recipe).code == ExitCode.JOB_FAILED
    (tmp_path / "mended").touch()
    done = npu_launch("rerun", "--ranks", "failed")
    assert done.code == ExitCode.OK
    assert "attempt 2: starting 1 rank;" in done.err
    assert done.out == "rank 2 | here\n"


def test_a_run_that_is_alive_is_not_run_again(tmp_path: Path) -> None:
    with npu_launch_beside(write_recipe(tmp_path, "exec sleep 60")):
        run = wait_until_running()
        done = npu_launch("rerun")
        assert done.code == ExitCode.USAGE
        assert f"npu-launch stop {run.id}" in done.err
        npu_launch("stop")
        wait_until_ended(run)


def test_allowing_restarts_asks_for_them_and_a_set_that_forbids_them_is_a_contradiction(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, "exit 3", restart={"policy": "never"})
    assert npu_launch(recipe, "--max-restarts", "1").code == ExitCode.GAVE_UP
    refused = npu_launch(recipe, "--max-restarts", "1", "--set", "restart.policy=never")
    assert refused.code == ExitCode.USAGE
    assert "the policy is never" in refused.err
    assert npu_launch("plan", recipe, "--name", "other", "--max-restarts", "1").code == ExitCode.OK
