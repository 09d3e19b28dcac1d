"""status says where the time of every attempt went, why it was restarted, and what it waits for."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from launcher.cli.conditions import conditions
from launcher.cli.lingering import NOTHING, Lingering
from launcher.cli.live import drawing
from launcher.cli.main import main
from launcher.cli.plain import told
from launcher.cli.status_text import status_lines
from launcher.cli.summary import headline, summary
from launcher.cli.view import RunView, look
from launcher.runs.events import (
    Cause,
    Classified,
    Decided,
    HangFound,
    HostBack,
    HostFenced,
    HostSuspected,
    HostUnreachable,
    ProcessExited,
    Progressed,
)
from launcher.runs.fold import fold
from launcher.runs.lock import Lock
from tests.cli.conftest import Author, WrittenRun


@pytest.fixture
def kept() -> Iterator[list[Lock]]:
    """Locks of runs that somebody keeps, for as long as the test lasts."""
    locks: list[Lock] = []
    yield locks
    for lock in locks:
        lock.release()


def keep(run: WrittenRun, kept: list[Lock]) -> None:
    lock = run.directory.lock()
    assert lock.try_acquire()
    kept.append(lock)


def steps(run: WrittenRun, after: float, step: int) -> None:
    run.time += after
    run.happens(Progressed(time=run.time, attempt=run.attempt, step=step))


def fails(run: WrittenRun, rank: int, cause: Cause, evidence: str) -> None:
    """A rank fails, the others are stopped, and a restart is decided that is due 4 seconds later."""
    run.exits(rank, code=1)
    run.stops(f"rank {rank} failed")
    run.happens(Classified(time=run.time, attempt=run.attempt, rank=rank, cause=cause, evidence=evidence))
    run.exits(*(other for other in range(run.ranks) if other != rank), code=-15, stopped=True)
    run.idles()
    run.happens(
        Decided(
            time=run.time,
            decision="restart_group",
            reason=f"rank {rank} failed first (exit code 1); restart {run.attempt} of 2 (restart.max_restarts)",
            cause=cause,
            due=run.time + 4,
        )
    )


def restarted(author: Author) -> WrittenRun:
    """Two attempts: the first loses 20 steps to want of memory, the second makes up for them and succeeds."""
    run = author.run()
    run.starts(max_restarts=2)
    steps(run, 9, 1)
    steps(run, 40, 40)
    run.time += 9
    fails(run, 2, Cause.MEMORY, "RuntimeError: NPU out of memory\x1b[31m")
    run.time += 3
    run.starts(resume_from="/x/20.ckpt", max_restarts=2)
    steps(run, 5, 21)
    steps(run, 20, 40)
    run.time += 99
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    return run


def text_of(run: WrittenRun) -> str:
    return "\n".join(status_lines(look(run.directory, time.time())))


def test_status_says_where_the_time_of_every_attempt_went(author: Author) -> None:
    assert """
attempt  launch  compile  recompute  training  down  restarting    all
      1    1.0s     9.0s                  50s  1.0s        4.0s  1m05s
      2             5.0s        20s     1m40s                    2m05s
    all    1.0s      14s        20s     2m30s  1.0s        4.0s  3m10s
effective 78.9%: 2m30s of new training in 3m10s

attempt 1  ended: rank 2 failed first (memory failure): RuntimeError: NPU out of memory
attempt 2  from /x/20.ckpt; started because rank 2 failed first (exit code 1); restart 1 of 2 (restart.max_restarts)
""" in text_of(restarted(author))


def test_status_json_has_the_ledger_and_the_reasons(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    restarted(author)
    assert main(["status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    ledger = document["ledger"]
    first, second = ledger["attempts"]
    assert first == {
        "number": 1,
        "wall": pytest.approx(65),
        "launch": pytest.approx(1),
        "compile": pytest.approx(9),
        "recompute": 0,
        "training": pytest.approx(50),
        "detecting": 0,
        "down": pytest.approx(1),
        "restarting": pytest.approx(4),
        "step_lines": True,
    }
    assert second["recompute"] == pytest.approx(20)
    assert ledger["wall"] == pytest.approx(document["ended"] - document["created"])
    assert ledger["wall"] == document["duration"]
    assert ledger["effective_ratio"] == pytest.approx(150 / 190)
    assert document["attempts"][0]["cause"] == "memory"
    assert document["attempts"][0]["max_restarts"] == 2
    assert document["attempts"][0]["restarted_because"] is None
    assert document["attempts"][1]["restarted_because"].startswith("rank 2 failed first")
    assert document["pending_restart"] is None


def test_an_attempt_has_a_line_for_its_beginning_and_one_for_its_end(author: Author) -> None:
    run = author.run()
    run.starts(max_restarts=2)
    fails(run, 1, Cause.USER, "ValueError: x")
    run.starts(max_restarts=2)
    fails(run, 2, Cause.DEVICE, "507053")
    run.ends("gave_up")
    assert (
        "attempt 1  ended: rank 1 failed first (user failure): ValueError: x\n"
        "attempt 2  started because rank 1 failed first (exit code 1); restart 1 of 2 (restart.max_restarts)\n"
        "           ended: rank 2 failed first (device failure): 507053\n"
    ) in text_of(run)


def test_a_job_without_step_lines_says_so(author: Author) -> None:
    text = text_of(author.succeeded())
    assert "attempt  launch  training    all\n      1    1.0s     1m01s  1m02s\n" in text
    assert "effective unknown: no step lines in the logs" in text


def test_the_time_between_an_end_and_a_rerun_is_left_out_and_said(author: Author) -> None:
    run = author.failed()
    run.time += 7199
    run.starts()
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    assert "not counted: 2h00m between an end and a rerun" in text_of(run)


def test_the_headline_counts_attempts_where_restarts_are_allowed(author: Author) -> None:
    run = restarted(author)
    assert "  attempt 2/3  SUCCEEDED" in headline(look(run.directory, time.time()))
    run.starts(max_restarts=2)
    assert "  attempt 3/5  " in headline(look(run.directory, time.time()))
    assert "  attempt 1  " in headline(look(author.failed().directory, time.time()))


def test_a_restart_that_waits_is_shown_with_its_reason(author: Author, kept: list[Lock]) -> None:
    run = author.run(age=4)
    keep(run, kept)
    run.starts(max_restarts=2)
    fails(run, 1, Cause.DEVICE, "EE9999: 507053 at /dev/davinci1")
    view = look(run.directory, run.time + 0.8)
    lines = summary(view)
    assert "  cause   rank 1 (node-a, device 1) failed first: exit code 1 (device failure)" in lines
    assert "  line    EE9999: 507053 at /dev/davinci1" in lines
    expected = "in 3.2s: rank 1 failed first (exit code 1); restart 1 of 2 (restart.max_restarts)"
    assert f"  restart {expected}" in lines
    assert dict(conditions(replace(view, now=run.time + 5)))["restart"].startswith("now: ")
    assert expected in " ".join(str(line) for line in drawing(view, 24).renderables)  # type: ignore[attr-defined]


def test_hosts_that_do_not_answer_are_shown_while_they_do_not(author: Author, kept: list[Lock]) -> None:
    run = author.run(age=60)
    keep(run, kept)
    run.starts()
    run.happens(HostSuspected(time=run.time, host="node-a"))
    assert "  hosts   node-a is slow to answer" in summary(look(run.directory, run.time))
    run.happens(HostUnreachable(time=run.time + 10, host="node-a", heard=run.time))
    assert "  hosts   node-a has not answered for 12s" in summary(look(run.directory, run.time + 12))
    run.happens(HostBack(time=run.time + 13, host="node-a"))
    assert not any(line.startswith("  hosts") for line in summary(look(run.directory, run.time + 13)))


def test_ranks_that_outlive_their_grace_are_shown_with_what_the_kernel_says(author: Author, kept: list[Lock]) -> None:
    run = author.run(ranks=2, age=60)
    keep(run, kept)
    run.starts()
    run.stops("stopped by me")
    run.exits(1, code=-15, stopped=True)
    state = run.directory.state()
    mine = replace(state, ranks=state.ranks.set(0, replace(state.ranks[0], pid=os.getpid())))
    view = RunView(run.directory.path, mine, run.time + 25, lingering=Lingering({0: "D"}))
    stuck = dict(conditions(view))["stuck"]
    assert stuck.startswith("rank 0 still there 26s after the order to stop, in uninterruptible sleep (D)")


def test_a_rank_counts_as_lingering_only_after_its_grace(author: Author, kept: list[Lock]) -> None:
    run = author.run(ranks=1, age=60)
    keep(run, kept)
    run.starts()
    run.stops("stopped by me")
    assert look(run.directory, run.time + 10).lingering == NOTHING
    assert look(run.directory, run.time + 12).lingering == Lingering(
        {0: ""}
    )  # nobody here keeps node-a: what it does is unknown
    shim_lock = run.directory.shim_lock("node-a")
    shim_lock.parent.mkdir(parents=True)
    lock = Lock(shim_lock)
    lock.acquire()
    kept.append(lock)
    view = look(run.directory, run.time + 12)
    assert view.lingering == Lingering({}, ("node-a",))  # its process is not there any more, others are
    assert dict(conditions(view))["stuck"].startswith("what the ranks left behind on node-a is still there 12s after")


def test_what_is_out_of_the_ordinary_adds_at_most_a_line_each(author: Author, kept: list[Lock]) -> None:
    run = author.run(age=60)
    keep(run, kept)
    run.starts(max_restarts=2)
    for rank in range(4):
        run.trains(rank, 10)
    run.writes(0, "Eval result: epoch 1, metrics: {'mIoU': 0.12}")
    fails(run, 1, Cause.DEVICE, "EE9999")
    run.happens(HostUnreachable(time=run.time, host="node-a", heard=run.time))
    assert len(summary(look(run.directory, run.time))) <= 12


def test_ranks_that_fail_in_the_wake_of_the_first_are_named_so(
    author: Author, capsys: pytest.CaptureFixture[str]
) -> None:
    run = author.failed()
    text = text_of(run)
    assert "   0  SIGABRT after it" in text
    assert "   2  failed (1) " in text
    assert main(["status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [rank["ending"] for rank in document["ranks"]] == ["cascade", "stopped", "first_failure", "stopped"]


def test_independent_ranks_fail_for_themselves(author: Author, capsys: pytest.CaptureFixture[str]) -> None:
    run = author.run(framework="plain")
    run.starts(gang=False)
    run.exits(2, code=1)
    run.exits(1, code=3)
    run.exits(0, 3)
    run.ends("failed", "rank 2 failed first (exit code 1)")
    assert "others  1 rank failed too, 2 ranks had ended well" in text_of(run)
    assert main(["status", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [rank["ending"] for rank in document["ranks"]] == [None, "failed", "first_failure", None]


def test_what_explains_a_change_is_told(author: Author) -> None:
    run = author.run(ranks=3)
    run.starts()
    events = [
        ProcessExited(time=1, host="a", attempt=1, name=f"rank {rank}", rank=rank, pid=1, code=-9, oom=oom)
        for rank, oom in ((1, "anon-rss 3 GiB"), (0, None), (2, None))
    ]
    view = RunView(run.directory.path, fold(events, run.directory.state()), 1)
    assert told(events, view) == [
        "rank 1 failed: killed by the kernel for want of memory (anon-rss 3 GiB)",
        "ranks 0,2 failed after it: killed by SIGKILL",
    ]
    assert told(
        [
            HostUnreachable(time=20, host="b", heard=8),
            HostBack(time=21, host="b"),
            HostFenced(time=90, host="b", attempt=1),
            Decided(time=91, decision="restart_group", reason="host b was lost", due=91.05),
            Decided(time=91, decision="restart_group", reason="host b was lost", due=94),
        ],
        view,
    ) == [
        "host b has not answered for 12s",
        "host b answers again",
        "host b counts as lost, and its ranks as ended: its lease has run out",
        "restart group: host b was lost",
        "restart group in 3.0s: host b was lost",
    ]


def test_an_attempt_that_stood_still_says_so(author: Author) -> None:
    run = author.run()
    run.starts(max_restarts=2)
    stacks = "rank 3 in load_batch (data.py:88)"
    run.happens(HangFound(time=run.time + 70, attempt=1, since=run.time + 5, limit=60, fatal=True, stacks=stacks))
    run.time += 70
    run.stops("no rank has come on for 65 s")
    run.exits(0, 1, 2, 3, code=-15, stopped=True)
    run.idles()
    run.starts(max_restarts=2)
    run.exits(0, 1, 2, 3)
    run.ends("succeeded")
    text = text_of(run)
    assert "attempt 1  ended: no rank came on for 65 s: rank 3 in load_batch (data.py:88)" in text
    assert "detecting" in text
