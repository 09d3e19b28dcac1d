"""The sweep's recipe through npu-launch: one combination fails and is mended, the others are left as they are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.runs.state import RankPhase
from tests.end_to_end import latest, npu_launch

pytestmark = pytest.mark.usefixtures("home")

REDUCED = ("args.epochs=2", "args.points=600", "args.checkpoint_every=8")


def test_one_combination_diverges_and_is_mended_and_the_others_stay(recipes: Path) -> None:
    sets = [word for text in (*REDUCED, "sweep={args.lr: [0.3, 0.1, 1e308, 0.03]}") for word in ("--set", text)]
    first = npu_launch("run", recipes / "sweep_8.yaml", *sets)
    assert first.code == ExitCode.JOB_FAILED
    state = latest().state()
    assert state.ranks_in(RankPhase.FAILED) == (2,)
    assert state.ranks_in(RankPhase.SUCCEEDED) == (0, 1, 3)
    assert "  (lr=1e+308)" in first.err
    assert "--ranks failed" in first.err

    mended = npu_launch("rerun", "--ranks", "failed", "--set", "sweep.args.lr=[0.3, 0.1, 0.05, 0.03]")
    assert mended.code == ExitCode.OK
    assert "rank 2 | training: epochs: 2, steps per epoch: 12" in mended.out
    assert latest().state().attempts[-1].ranks == (2,)
    status = json.loads(npu_launch("status", "--json").out)
    assert [rank["combination"] for rank in status["ranks"]] == [{"args.lr": lr} for lr in (0.3, 0.1, 0.05, 0.03)]
    assert [rank["attempt"] for rank in status["ranks"]] == [1, 1, 2, 1]
    accuracies = [rank["evaluations"][-1]["metrics"]["accuracy"] for rank in status["ranks"]]
    best = accuracies.index(max(accuracies))
    assert f"best    accuracy {accuracies[best]:.4f}: rank {best}, lr=" in mended.err

    again = npu_launch("rerun", "--ranks", "0,3", "--set", "args.epochs=3")
    assert again.code == ExitCode.OK
    for rank in (0, 3):
        folder = latest().path / "checkpoints" / str(rank)
        assert f"resumed from: {folder}/step_00000024.ckpt step: 24" in latest().rank_log(3, rank).read_text()
        assert (folder / "step_00000036.ckpt").exists()
