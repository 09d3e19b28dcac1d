"""What broke first in one of our runs: the record tells what logs cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from launcher.diagnose.diagnosing import diagnose_files, diagnose_run
from launcher.diagnose.finding import Category, Confidence
from launcher.diagnose.loading import rulebook
from launcher.diagnose.retry import retry
from launcher.diagnose.root import UNKNOWN, Order, RootCause
from launcher.diagnose.verdict import Subject
from launcher.diagnose.wording import verdict
from launcher.logs.record import LogFile, Source
from launcher.runs.events import ClockMeasured, Event, FaultSeen, Trouble, TroubleFound
from tests.diagnose.scenarios import said
from tests.diagnose.scenarios.job import Job
from tests.diagnose.scenarios.recorded import ZERO, exited, run_of
from tests.diagnose.scenarios.told import others_wait


def root_of(job: Job, folder: Path, *events: Event) -> RootCause:
    root = diagnose_run(run_of(job, folder, events), 1, rulebook()).root
    assert root is not None
    return root


def stopped(job: Job, but: int, seconds: float = 46) -> list[Event]:
    return [exited(job, rank, seconds, -15, stopped=True) for rank in job.ranks if rank != but]


def test_a_rank_that_ran_out_of_memory_is_the_root_and_the_others_follow(tmp_path: Path) -> None:
    job = Job().starts()
    said.out_of_memory(job, 3, 40)
    root = root_of(others_wait(job, 3, 44), tmp_path, exited(job, 3, 42, 1), *stopped(job, 3))
    assert (root.rank, root.cause, root.category) == (3, "device_oom", Category.MEMORY)
    assert (root.host, root.device, root.order) == ("node-1", 3, Order.FIRST)
    assert root.evidence[0].file == "attempts/1/ranks/3/stdout.log"
    assert {each.rank: each.cause for each in root.cascade} == dict.fromkeys(
        (0, 1, 2, 4, 5, 6, 7), "hccl_notify_wait_timeout"
    )


def test_a_rank_that_the_kernel_killed_for_memory_needs_no_line_of_its_own(tmp_path: Path) -> None:
    job = Job().starts()
    words = "Out of memory: Killed process 41034 (python)"
    root = root_of(job, tmp_path, exited(job, 2, 42, -9, oom=words), *stopped(job, 2))
    assert (root.rank, root.cause, root.confidence) == (2, "host_oom", Confidence.HIGH)
    assert words in root.why
    assert [each.cause for each in root.cascade] == ["stopped"] * 7


@pytest.mark.parametrize(("code", "cause"), [(-9, "worker_killed"), (-11, "native_crash"), (-1, "terminal_hangup")])
def test_a_signal_alone_tells_the_cause(code: int, cause: str, tmp_path: Path) -> None:
    job = Job().starts()
    root = root_of(job, tmp_path, exited(job, 6, 42, code), *stopped(job, 6))
    assert (root.rank, root.cause) == (6, cause)


@pytest.mark.parametrize(
    ("code", "cause", "confidence", "words"),
    [
        (137, "worker_killed", Confidence.LOW, "where SIGKILL ended"),
        (139, "native_crash", Confidence.MEDIUM, "where SIGSEGV ended"),
        (134, "native_crash", Confidence.MEDIUM, "where SIGABRT ended"),
        (127, "command_not_found", Confidence.LOW, "a command that is not found"),
        (126, "command_not_executable", Confidence.LOW, "may not be executed"),
        (143, UNKNOWN, Confidence.LOW, "no rule knows why"),
    ],
)
def test_an_exit_code_without_a_line_says_what_a_shell_means_by_it_and_no_more(
    code: int, cause: str, confidence: Confidence, words: str, tmp_path: Path
) -> None:
    job = Job().starts()
    root = root_of(job, tmp_path, exited(job, 6, 42, code), *stopped(job, 6))
    assert (root.rank, root.cause, root.confidence) == (6, cause, confidence)
    assert f"code {code}" in root.why and words in root.why


def test_a_command_that_is_not_found_has_its_own_fix_and_no_word_on_another_try(tmp_path: Path) -> None:
    job = Job().starts()
    diagnosis = diagnose_run(run_of(job, tmp_path, [exited(job, 6, 42, 127), *stopped(job, 6)]), 1, rulebook())
    found = verdict(Subject(kind="run", name="job-7f3a", attempt=1), diagnosis, rulebook())
    assert (found.title, found.title_zh) == ("a command is not found", "找不到命令")
    assert [each.id for each in diagnosis.suggestions] == ["command_on_path"]
    assert found.retry is None
    assert retry("command_not_found", Category.ENVIRONMENT, Confidence.MEDIUM) is not None


@pytest.mark.parametrize(
    ("code", "line", "cause"),
    [
        (127, "/bin/sh: 1: prepare: not found", "command_not_found"),
        (126, "bash: ./msame: cannot execute binary file: Exec format error", "command_not_executable"),
    ],
)
def test_what_a_shell_says_of_its_command_is_the_cause_where_the_exit_code_says_so_too(
    code: int, line: str, cause: str, tmp_path: Path
) -> None:
    job = Job().starts()
    job.outputs[6].append(line)
    root = root_of(job, tmp_path, exited(job, 6, 42, code), *stopped(job, 6))
    assert (root.rank, root.cause, root.confidence) == (6, cause, Confidence.MEDIUM)
    assert root.evidence[0].text == line
    other = diagnose_run(run_of(job, tmp_path / "other", [exited(job, 6, 42, 1)]), 1, rulebook()).root
    assert other is not None and other.cause == UNKNOWN


def test_what_was_told_of_training_counts_where_logs_show_no_fault_and_of_this_attempt_alone(tmp_path: Path) -> None:
    job = Job().starts()
    words = "the loss has come up from 0.31 to 7.4"
    told = TroubleFound(
        time=ZERO + 9, attempt=1, rank=5, kind=Trouble.LOSS_EXPLODES, words=words, offset=0, line="loss 7.4"
    )
    root = root_of(job, tmp_path, told, *(exited(job, rank, 42, 0) for rank in job.ranks))
    assert (root.rank, root.cause, root.category) == (5, "loss_explodes", Category.PRECISION)
    assert root.evidence[0].file == "events.jsonl"
    before = told.model_copy(update={"attempt": 2})
    assert diagnose_run(run_of(job, tmp_path / "other", [before]), 1, rulebook()).healthy
    said.out_of_memory(job, 3, 40)
    assert root_of(job, tmp_path / "failed", told, exited(job, 3, 42, 1)).cause == "device_oom"


def test_what_was_seen_while_ranks_went_on_changes_no_verdict(tmp_path: Path) -> None:
    job = Job().starts()
    said.out_of_memory(job, 3, 40)
    seen = FaultSeen(
        time=ZERO + 9,
        attempt=1,
        rank=5,
        cause="aicore_exception",
        category="operator",
        words="",
        file="attempts/1/ranks/5/stdout.log",
        line=1,
        text="there is an aicore error",
    )
    ends = [exited(job, 3, 42, 1), *stopped(job, 3)]
    found = [
        diagnose_run(run_of(job, tmp_path / name, events), 1, rulebook())
        for name, events in (("with", [seen, *ends]), ("without", ends))
    ]
    told = [(each.cause, each.rank, each.evidence) for each in found[0].findings]
    assert told == [(each.cause, each.rank, each.evidence) for each in found[1].findings]
    assert found[0].root is not None and found[1].root is not None
    assert replace(found[0].root, finding=None) == replace(found[1].root, finding=None)


def test_the_first_of_two_tracebacks_is_that_of_the_rank_that_ended_first(tmp_path: Path) -> None:
    job = Job().starts()
    said.traceback(job, 1)
    said.traceback(job, 5, "ValueError: shapes differ")
    root = root_of(job, tmp_path, exited(job, 5, 42, 1), exited(job, 1, 43, 1))
    assert root.rank == 5


def test_what_a_rank_says_when_it_is_told_to_stop_is_not_the_root(tmp_path: Path) -> None:
    job = Job().starts()
    said.aicore_exception(job, 1, 43)
    said.out_of_memory(job, 4, 40)
    root = root_of(job, tmp_path, exited(job, 4, 42, 1), *stopped(job, 4))
    assert (root.rank, root.cause) == (4, "device_oom")
    assert [(each.rank, each.why) for each in root.considered] == [(1, "had been told to stop before")]


def test_clocks_that_were_measured_order_what_two_hosts_say(tmp_path: Path) -> None:
    job = Job(16, behind={"node-2": 600}).starts()
    said.aicore_exception(job, 2, 40)
    said.aicore_exception(job, 9, 100)
    measured = ClockMeasured(time=0, host="node-2", behind=600)
    root = root_of(job, tmp_path, measured)
    assert (root.rank, root.order) == (2, Order.FIRST)
    assert [(each.rank, each.why) for each in root.considered] == [(9, "came later")]


def test_times_closer_than_clocks_were_measured_cannot_be_ordered(tmp_path: Path) -> None:
    job = Job(16).starts()
    said.aicore_exception(job, 2, 40)
    said.aicore_exception(job, 9, 40.5)
    root = root_of(job, tmp_path)
    assert (root.rank, root.order, root.also) == (2, Order.CANNOT_ORDER, (9,))


def test_a_failure_that_no_rule_knows_is_said_to_be_unknown_with_the_lines_of_the_rank(tmp_path: Path) -> None:
    job = Job().starts()
    job.out(5, "giving up: the frobnicator has failed")
    root = root_of(job, tmp_path, exited(job, 5, 42, 3), *stopped(job, 5))
    assert (root.rank, root.cause, root.category, root.confidence) == (5, UNKNOWN, None, Confidence.LOW)
    assert "frobnicator" in "\n".join(each.text for each in root.evidence)


def test_a_run_that_succeeded_has_no_fault(tmp_path: Path) -> None:
    job = Job().starts()
    found = diagnose_run(run_of(job, tmp_path, [exited(job, rank, 60, 0) for rank in job.ranks]), 1, rulebook())
    assert found.healthy
    assert found.suggestions == ()


def test_errors_that_a_run_got_over_are_no_fault(tmp_path: Path) -> None:
    job = Job().starts()
    said.traceback(job, 3)
    found = diagnose_run(run_of(job, tmp_path, [exited(job, rank, 60, 0) for rank in job.ranks]), 1, rulebook())
    assert found.healthy


def test_a_suggestion_names_the_rank_that_the_others_asked_for(tmp_path: Path) -> None:
    job = others_wait(Job().starts(), 5)
    found = diagnose_run(run_of(job, tmp_path), 1, rulebook())
    assert any("--rank 5" in text for each in found.suggestions for text in each.change.values())


def test_a_log_alone_names_whom_its_rank_waited_for(tmp_path: Path) -> None:
    job = Job()
    said.notify_timeout(job, 1, 1900, 5)
    path = tmp_path / "output.txt"
    path.write_text("\n".join(job.outputs[1]))
    root = diagnose_files([LogFile(path, path.name, Source.STDOUT)], rulebook()).root
    assert root is not None
    assert (root.rank, root.cause) == (5, "hccl_notify_wait_timeout")


def test_a_log_that_cannot_be_read_is_told_of(tmp_path: Path) -> None:
    job = Job().starts()
    said.out_of_memory(job, 3, 40)
    run = run_of(job, tmp_path)
    run.rank_log(1, 0).unlink()
    (run.path / "attempts/1/ranks/0/stdout.log.zst").write_bytes(b"no archive")
    found = diagnose_run(run, 1, rulebook())
    assert found.root is not None
    assert found.root.rank == 3
    assert any("could not be read" in note for note in found.notes)
