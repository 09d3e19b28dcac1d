"""Trouble in training is shown while it goes on, at the end, and in full by `--json`."""

from __future__ import annotations

import json
import time

import pytest

from launcher.cli.main import main
from launcher.cli.plain import told
from launcher.cli.summary import summary
from launcher.cli.view import look
from launcher.runs.events import FaultSeen, Trouble, TroubleFound
from tests.cli.conftest import Author, WrittenRun


def trouble(run: WrittenRun, rank: int, step: int | None, kind: Trouble, words: str) -> TroubleFound:
    return TroubleFound(
        time=run.time, attempt=run.attempt, rank=rank, kind=kind, words=words, step=step, offset=99, line="loss nan"
    )


def text_of(run: WrittenRun) -> str:
    return "\n".join(summary(look(run.directory, time.time())))


def test_trouble_is_told_when_it_begins_and_stays_in_the_summary(author: Author) -> None:
    run = author.run()
    run.starts()
    event = trouble(run, 3, 12, Trouble.LOSS_NOT_FINITE, "the loss is nan")
    run.happens(event)
    lock = run.directory.lock()
    assert lock.try_acquire()
    view = look(run.directory, time.time())
    assert told([event], view) == ["rank 3 at step 12: the loss is nan: loss nan"]
    assert "trouble rank 3 at step 12: the loss is nan" in "\n".join(summary(view))
    lock.release()
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    assert "trouble rank 3 at step 12: the loss is nan" in text_of(run)


def fault(run: WrittenRun, rank: int, cause: str, line: int = 7) -> FaultSeen:
    return FaultSeen(
        time=run.time,
        attempt=run.attempt,
        rank=rank,
        cause=cause,
        category="memory",
        words="memory is used up",
        file=f"attempts/1/ranks/{rank}/stdout.log",
        line=line,
        text="NPU out of memory",
    )


def test_a_fault_that_a_rank_survives_is_told_when_it_is_seen_and_stays_in_the_summary(author: Author) -> None:
    run = author.run()
    run.starts()
    events = [fault(run, 3, "device_oom"), fault(run, 1, "device_oom"), fault(run, 0, "ecc_error")]
    for event in events:
        run.happens(event)
    lock = run.directory.lock()
    assert lock.try_acquire()
    view = look(run.directory, time.time())
    assert told(events[:1], view) == [
        "rank 3: memory is used up (device_oom): ranks/3/stdout.log:7  NPU out of memory",
    ]
    words = (
        "fault   rank 0: memory is used up (ecc_error): ranks/0/stdout.log:7; "
        "ranks 1,3: memory is used up (device_oom): ranks/3/stdout.log:7"
    )
    assert words in "\n".join(summary(view))
    lock.release()
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    assert words in text_of(run)


def test_the_latest_trouble_comes_first_and_only_that_of_the_last_attempt(author: Author) -> None:
    run = author.run()
    run.starts()
    for step in range(3):
        run.happens(trouble(run, 0, step, Trouble.LOSS_STANDS, f"sign {step}"))
    run.exits(0, 1, 2, 3, code=1)
    run.idles()
    run.ends("failed")
    assert "trouble rank 0 at step 2: sign 2; rank 0 at step 1: sign 1; and 1 before" in text_of(run)
    run.starts()
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    assert "sign 2" not in text_of(run)


def test_json_has_all_trouble_and_the_ends_of_every_series(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    run = author.run(ranks=1)
    run.starts()
    run.writes(0, " iteration 1/ 9 | lm loss: 2.5 | learning rate: 1.0E-04 | loss scale: 65536.0 |")
    run.writes(0, " iteration 2/ 9 | loss scale: 32768.0 | lm loss: nan | learning rate: 2.0E-04 |")
    run.happens(trouble(run, 0, None, Trouble.SCALE_FALLS, "it falls"))
    run.ends("failed")
    assert main(("status", "--json")) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ranks"][0]["metrics"] == {
        "loss": {"first": 2.5, "last": "nan"},
        "learning_rate": {"first": 1e-4, "last": 2e-4},
        "loss_scale": {"first": 65536.0, "last": 32768.0},
    }
    (found,) = document["troubles"]
    assert (found["kind"], found["rank"], found["step"], found["offset"]) == ("scale_falls", 0, None, 99)
    assert found["log"] == str(run.directory.rank_log(1, 0))


def test_the_summary_draws_the_loss_and_a_running_run_has_its_latest_values(author: Author) -> None:
    run = author.run(ranks=1)
    run.starts()
    for step in range(1, 9):
        run.writes(0, f" iteration {step}/ 8 | lm loss: {9 - step}.0 | learning rate: 1.0E-04 | grad norm: 0.5 |")
    lock = run.directory.lock()
    assert lock.try_acquire()
    text = text_of(run)
    lock.release()
    assert "loss 8.0000 -> 1.0000  █▇▆▅▄▃▂▁\n" in text
    assert "values  learning rate 0.0001, grad norm 0.5" in text


def test_lines_are_understood_by_the_patterns_of_the_recipe(author: Author) -> None:
    run = author.run(ranks=1)
    run.starts(metrics=(r"it (?P<step>\d+)/(?P<steps>\d+) L=(?P<loss>\S+)",))
    run.writes(0, "it 5/10 L=0.25")
    run.ends("failed")
    assert "at step 5 of 10" in text_of(run)
