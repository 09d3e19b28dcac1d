"""The summary says how a run went, in at most 12 lines and the last words of whoever failed."""

import time

import pytest

from launcher.cli.status_text import status_lines
from launcher.cli.summary import summary
from launcher.cli.view import RunView, last_words, look
from launcher.runs.events import ShimLost
from tests.cli.conftest import Author, WrittenRun


def told(run: WrittenRun) -> str:
    view = look(run.directory, time.time())
    return "\n".join(summary(view, last_words(run.directory, view.state)))


def test_a_run_that_succeeded(author: Author) -> None:
    run = author.succeeded()
    run.writes(0, "Eval result: epoch 1, metrics: {'mIoU': 0.12}", "Eval result: epoch 2, metrics: {'mIoU': 0.61}")
    text = told(run)
    assert f"run {run.id}  attempt 1  SUCCEEDED after 1m02s\n" in text
    assert "steps   40 of 40, loss 2.0000 -> 0.0500" in text
    assert "metrics mIoU 0.1200 -> 0.6100" in text
    assert "weights identical on 4 ranks: abababababab... (step 40)" in text
    assert f"npu-launch logs {run.id}" in text
    assert "rerun" not in text


def test_a_run_that_failed_names_the_first_rank_and_shows_its_last_lines(author: Author) -> None:
    run = author.failed()
    text = told(run)
    assert "FAILED after 1m04s at step 31 of 40" in text
    assert "cause   rank 2 (node-a, device 2) failed first: exit code 1" in text
    assert "others  1 rank failed after it, 2 ranks stopped by npu-launch" in text
    assert "the last lines of rank 2 (attempts/1/ranks/2/stdout.log):" in text
    assert text.endswith("  | Traceback (most recent call last):\n  | RuntimeError: boom [bold]x[/bold]")
    assert f"npu-launch rerun {run.id}" in text


def test_the_verdict_is_at_most_12_lines_besides_15_of_the_log(author: Author) -> None:
    run = author.failed()
    run.writes(0, "Eval result: epoch 1, metrics: {'mIoU': 0.12}", f"weights sha256: {'a' * 64} step: 40")
    view = look(run.directory, time.time())
    words = last_words(run.directory, view.state)
    assert len(words) == 15
    lines = summary(view, words)
    assert lines.index("") <= 12
    assert len(lines) == lines.index("") + 2 + len(words)


def test_a_signal_is_named(author: Author) -> None:
    run = author.run()
    run.starts()
    run.exits(1, code=-9)
    run.ends("failed", "rank 1 failed first (killed by SIGKILL)")
    assert "rank 1 (node-a, device 1) failed first: killed by SIGKILL" in told(run)


def test_a_program_that_cannot_be_executed_is_said(author: Author) -> None:
    run = author.run(ranks=1)
    run.starts()
    run.exits(0, code=127, error="cannot execute /x/train.py: Permission denied")
    run.ends("failed", "rank 0 failed first; it never started, so it is not started again")
    text = told(run)
    assert "failed first: cannot execute /x/train.py: Permission denied" in text
    assert "reason  rank 0 failed first; it never started" in text


def test_ranks_that_disagree_about_the_weights_are_named_loudly(author: Author) -> None:
    run = author.run()
    run.starts()
    for rank, digest in enumerate(("ab", "ab", "cd", "ab")):
        run.trains(rank, 40, digest=digest)
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    assert "weights NOT IDENTICAL at step 40: ranks 0-1,3 abababababab...; rank 2 cdcdcdcdcdcd..." in told(run)


def test_weights_that_only_some_ranks_reported_are_not_called_identical_on_all(author: Author) -> None:
    run = author.run()
    run.starts()
    run.trains(0, 40)
    assert "identical on 1 of 4 ranks" in told(run)


def test_a_failure_that_a_restart_mended_is_no_cause(author: Author) -> None:
    run = author.run()
    run.starts()
    run.exits(2, code=1)
    run.exits(0, 1, 3, code=-15, stopped=True)
    run.idles()
    run.starts(resume_from="/runs/x/checkpoints/step 20.ckpt")
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    text = "\n".join(status_lines(look(run.directory, time.time())))
    assert "cause" not in text
    assert "attempt 1  ended: rank 2 failed first" in text
    assert "attempt 2  from /runs/x/checkpoints/step 20.ckpt" in text


def test_the_time_between_the_end_and_a_rerun_does_not_count(author: Author) -> None:
    run = author.failed()
    run.time += 100_000
    run.starts()
    run.time += 29
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    assert "SUCCEEDED after 1m34s" in told(run)


def test_a_run_that_nothing_keeps_is_lost_and_its_clock_stands(author: Author) -> None:
    run = author.run(age=5000)
    run.starts()
    text = told(run)
    assert "LOST after 1.0s" in text
    assert "reason  nothing on this machine keeps the run any more" in text


def test_ranks_that_ended_with_their_shim_are_lost(author: Author) -> None:
    run = author.run()
    run.starts()
    run.happens(ShimLost(time=run.time, host="node-a", attempt=1))
    run.ends("lost", "4 ranks ended with the shim that kept them")
    assert "reason  4 ranks ended with the shim that kept them" in told(run)


def test_a_running_run_tells_what_is_left(author: Author) -> None:
    run = author.run(age=65)
    run.starts()
    for rank in range(4):
        run.trains(rank, 10)
        run.writes(rank, "Train epoch time: 40000.0 ms, per step time: 2000.0 ms")
    lock = run.directory.lock()
    assert lock.try_acquire()
    text = told(run)
    lock.release()
    assert "RUNNING for 1m05s at step 10 of 40" in text
    assert "ranks   4 running" in text
    assert "steps   10 of 40, loss 2.0000 -> 0.2000, 2.000 s a step, 1m00s left" in text
    assert f"npu-launch stop {run.id}" in text


def test_a_run_without_any_progress_in_its_logs_says_nothing_about_it(author: Author) -> None:
    run = author.run(framework="plain")
    run.starts()
    run.writes(0, "hello")
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    text = told(run)
    for label in ("steps", "metrics", "weights"):
        assert f"  {label}" not in text


@pytest.mark.parametrize("hostile", ["a\x1b[31mb", "x[bold]y", "o'; touch z #"])
def test_hostile_names_are_harmless(author: Author, hostile: str) -> None:
    run = author.failed(name=hostile)
    run.host = "host\x1b]0;x\x07"
    run.starts(resume_from=hostile)
    run.exits(1, error=hostile, code=127)
    run.ends("failed", hostile)
    view = look(run.directory, time.time())
    view = RunView(view.path.with_name(hostile), view.state, view.now, view.progress, view.places)
    assert all(line.isprintable() for line in status_lines(view, last_words(run.directory, view.state)))


def test_status_shows_of_many_ranks_those_worth_a_look(author: Author) -> None:
    run = author.failed(ranks=64, first=50)
    lines = status_lines(look(run.directory, time.time()))
    rows = [line.split() for line in lines if line[:4].strip().isdigit()]
    assert ["50", "failed", "(1)", "node-a/50", "31/40", "0.0645"] in rows
    assert len(rows) == 16
    assert any("and 48 ranks more" in line for line in lines)


def test_the_logs_of_a_partial_rerun_are_those_of_its_ranks(author: Author) -> None:
    run = author.failed()
    run.starts([1])
    run.exits(1)
    run.ends("failed")
    assert "attempts/2/ranks/1/stdout.log" in told(run)


def test_of_independent_ranks_the_failed_ones_are_proposed_to_run_again(author: Author) -> None:
    run = author.run(framework="plain")
    run.starts()
    run.exits(2, code=1)
    run.exits(0, 1, 3)
    run.ends("failed", "rank 2 failed first (exit code 1)")
    assert f"next    npu-launch rerun {run.id} --ranks failed\n" in told(run)
    assert "--ranks failed" not in told(author.failed())
