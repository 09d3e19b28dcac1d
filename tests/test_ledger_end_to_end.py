"""Where the time of a real run went, against the clock of its record."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.runs.record import RecordReader
from launcher.runs.store import RunDirectory
from tests.end_to_end import latest, npu_launch, write_recipe

pytestmark = pytest.mark.usefixtures("home")

# Rank 1 fails after step 30, of which the checkpoint has 10: to do 20 again takes longer than two looks at the log.
TRAINING = """
sleep 0.5
first=1; [ $# -gt 0 ] && first=11
for ((step = first; step <= 40; step++)); do
  echo "epoch: 1 step: $step, loss is 1.5"
  sleep 0.1
  [ $step = 10 ] && [ $RANK_ID = 0 ] && touch $CHECKPOINTS/step_10.ckpt
  if [ $step = 30 ] && [ $RANK_ID = 1 ] && [ $first = 1 ]; then sleep 1; echo 'Out of memory'; exit 1; fi
done
"""


def seconds_of_record(run: RunDirectory) -> float:
    events = RecordReader(run.layout.events).read()
    return events[-1].time - events[0].time


def test_the_ledger_of_a_run_with_a_restart_adds_up_to_its_wall_time(tmp_path: Path) -> None:
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    recipe = write_recipe(
        tmp_path,
        TRAINING,
        ranks=2,
        env={"CHECKPOINTS": str(checkpoints)},
        checkpoint={"dir": str(checkpoints), "resume_arg": "resume_from"},
        restart={"policy": "group", "max_restarts": 1},
    )
    done = npu_launch(recipe)
    assert done.code == ExitCode.OK, done.err
    document = json.loads(npu_launch("status", "--json").out)
    ledger = document["ledger"]
    wall = seconds_of_record(latest())
    spent = sum(
        seconds
        for attempt in ledger["attempts"]
        for kind, seconds in attempt.items()
        if kind not in ("number", "wall", "step_lines")
    )
    assert spent == pytest.approx(wall, rel=0.01)
    assert ledger["wall"] == pytest.approx(wall, rel=0.01)
    first, second = ledger["attempts"]
    assert first["recompute"] == 0
    assert second["recompute"] > 0
    assert 0 < ledger["effective_ratio"] < 1
    assert document["attempts"][0]["cause"] == "memory"
    status = npu_launch("status").out
    assert "attempt 2/2  SUCCEEDED" in status
    assert "recompute" in status


def test_the_ledger_of_a_run_that_cannot_start_adds_up_too(tmp_path: Path) -> None:
    done = npu_launch(write_recipe(tmp_path, "exit 3", restart={"policy": "group", "max_restarts": 1}))
    assert done.code == ExitCode.GAVE_UP
    document = json.loads(npu_launch("status", "--json").out)
    assert document["ledger"]["wall"] == pytest.approx(seconds_of_record(latest()), rel=0.01)
    assert document["ledger"]["effective_ratio"] is None
