"""The main recipe at two ranks, with a real MindSpore: it trains, resumes exactly, and evaluates what it trained."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import ExitCode
from launcher.runs.events import ProcessStarted
from launcher.runs.ledger import Kind
from launcher.runs.record import RecordReader
from launcher.runs.store import RunDirectory
from tests.end_to_end import latest, npu_launch, npu_launch_beside, pids, status, wait_for, wait_until_running, weights

pytest.importorskip("mindspore", reason="needs the extra npu-launch[mindspore]")
pytestmark = [pytest.mark.mindspore, pytest.mark.usefixtures("home", "shared_ports"), pytest.mark.timeout(900)]

RECIPES = Path(__file__).parent.parent / "recipes"
RECIPE = RECIPES / "resnext_8p.yaml"
SMALL = [
    *("--set", "ranks=2"),
    *("--set", "args.train_images=96"),  # 12 steps of 4 images on each of 2 ranks
    *("--set", "args.image_size=32"),
    *("--set", "args.eval_images=8"),
    *("--set", "args.epochs=1"),
    *("--set", "args.warmup_steps=1"),
    *("--set", "args.checkpoint_every=4"),
]


def test_two_ranks_train_to_the_same_weights_in_one_go_or_in_parts_and_after_a_fault() -> None:
    done = npu_launch(RECIPE, *SMALL, timeout=400)
    assert done.code == ExitCode.OK, done.err + done.out
    in_one_go = status()
    assert in_one_go["progress"]["steps_done"] == 12
    rank = in_one_go["ranks"][0]
    assert rank["last_loss"] < rank["first_loss"]
    last = latest().path / "checkpoints" / "step_00000012.ckpt"
    assert evaluations_of(last) == rank["evaluations"] != []

    with npu_launch_beside(RECIPE, *SMALL, "--set", "args.stop_at_step=8") as command:
        run = wait_until_running(2)
        wait_for(lambda: "checkpoint saved" in run.rank_log(1, 0).read_text(), "there is a checkpoint", timeout=300)
        os.kill(pids(run)[1], signal.SIGKILL)
        _, err = command.communicate(timeout=300)
    assert command.returncode == ExitCode.OK, err
    part = status()
    ledger = part["ledger"]
    spent = sum(attempt[kind.value] for attempt in ledger["attempts"] for kind in Kind)
    assert spent == pytest.approx(part["ended"] - part["created"], rel=0.01)
    assert 0 < ledger["effective_ratio"] < 1
    done = npu_launch("rerun", "--set", "args.stop_at_step=null", timeout=400)
    assert done.code == ExitCode.OK, done.err + done.out
    in_parts = status()
    assert [attempt["first_failure"] for attempt in in_parts["attempts"]] == [1, None, None]
    assert in_parts["attempts"][1]["resume_from"] is not None
    assert in_parts["attempts"][2]["resume_from"].endswith("00000008.ckpt")
    assert weights(part) != weights(in_parts) == weights(in_one_go)


def evaluations_of(checkpoint: Path) -> list[dict[str, Any]]:
    """What rank 0 of two says of a checkpoint."""
    alike = ("--set", "ranks=2", "--set", "args.eval_images=8", "--set", "args.image_size=32")
    done = npu_launch(RECIPES / "resnext_eval.yaml", *alike, "--set", f"args.evaluate={checkpoint}", timeout=400)
    assert done.code == ExitCode.OK, done.err + done.out
    evaluations: list[dict[str, Any]] = status()["ranks"][0]["evaluations"]
    return evaluations


def test_training_goes_on_when_the_scheduler_is_killed_and_a_killed_rank_takes_down_the_group_and_is_named() -> None:
    never = ("--set", "restart.policy=never", "--set", "restart.max_restarts=0")
    with npu_launch_beside(RECIPE, *SMALL, *never, "--set", "args.epochs=50") as command:
        run = wait_until_running(2)
        log = run.rank_log(1, 0)
        wait_for(lambda: "loss is" in log.read_text(), "rank 0 trains", timeout=300)
        before = pids(run)
        os.kill(scheduler_pids(run)[-1], signal.SIGKILL)
        wait_for(lambda: len(scheduler_pids(run)) > 1, "there is another scheduler")
        losses = log.read_text().count("loss is")
        wait_for(lambda: log.read_text().count("loss is") > losses + 5, "rank 0 goes on", timeout=300)
        assert pids(run) == before
        os.kill(before[1], signal.SIGKILL)
        _, err = command.communicate(timeout=60)
    assert command.returncode == ExitCode.JOB_FAILED
    assert "rank 1" in err
    state = run.state()
    assert len(state.attempts) == 1
    assert state.first_failure is not None


def scheduler_pids(run: RunDirectory) -> list[int]:
    """Those that the scheduler has had, oldest first."""
    events = RecordReader(run.layout.events).read()
    return [event.pid for event in events if isinstance(event, ProcessStarted) and event.name == "scheduler"]
