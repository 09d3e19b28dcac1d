"""What kind of failure an exit was."""

from __future__ import annotations

import errno
import os
import signal

import pytest

from launcher.runs.events import Cause
from launcher.runs.state import Exit
from launcher.supervise.classify import LINES, Finding, classify


def found(*lines: str, code: int = 1, trained: bool = True) -> Finding:
    return classify(Exit(code, 0.0), [line.encode() for line in lines], trained=trained)


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("RuntimeError: npu error 507053", Cause.DEVICE),
        ("[ERROR] Device lost heartbeat", Cause.DEVICE),
        ("HBM multi-bit ECC error", Cause.DEVICE),
        ("NPU out of memory. Tried to allocate 5.03 GiB", Cause.MEMORY),
        ("torch.OutOfMemoryError: x", Cause.MEMORY),
        ("EL0004: Failed to allocate memory", Cause.MEMORY),
        ("MemoryError", Cause.MEMORY),
        ("terminate called after throwing an instance of 'std::bad_alloc'", Cause.MEMORY),
        ("EI0002: The wait execution of the Notify register times out.", Cause.INFRASTRUCTURE),
        ("ConnectionResetError: [Errno 104] Connection reset by peer", Cause.INFRASTRUCTURE),
        ("ValueError: loss is nan", Cause.USER),
        ("rtMalloc failed, ret=207001.", Cause.MEMORY),
        ("return code 0, loss 1.207001", Cause.USER),
        ("step 507053 of 600000", Cause.USER),
    ],
)
def test_the_line_that_tells_the_cause_is_the_evidence(line: str, cause: Cause) -> None:
    assert found("step 1", line) == Finding(cause, evidence=line)


def test_the_last_line_that_tells_a_cause_counts() -> None:
    assert found("Connection refused", "out of memory", "bye").cause is Cause.MEMORY


def test_a_line_long_before_the_end_tells_nothing() -> None:
    assert found("out of memory", *["step"] * LINES).cause is Cause.USER


def test_a_rank_without_a_word_is_its_programs_failure() -> None:
    assert found() == Finding(Cause.USER)
    assert found("", "  ") == Finding(Cause.USER)


@pytest.mark.parametrize("ended_by", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_rank_that_was_killed_from_outside_is_no_fault_of_its_program(ended_by: signal.Signals) -> None:
    finding = found("ValueError", code=-ended_by)
    assert finding == Finding(Cause.INFRASTRUCTURE, evidence=f"killed by {ended_by.name}")


@pytest.mark.parametrize("ended_by", [signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS])
def test_a_crash_is_the_programs_own(ended_by: signal.Signals) -> None:
    assert found("bye", code=-ended_by).cause is Cause.USER


def test_what_the_kernel_killed_for_want_of_memory_ran_out_of_it() -> None:
    finding = classify(Exit(-9, 0.0, oom="host memory, 61 GiB"), [], trained=True)
    assert finding == Finding(Cause.MEMORY, evidence="host memory, 61 GiB")


def test_what_could_not_be_executed_is_a_startup_failure() -> None:
    finding = classify(Exit(127, 0.0, error="cannot start: no such file"), [], trained=False)
    assert finding == Finding(Cause.USER, startup=True, evidence="cannot start: no such file")


@pytest.mark.parametrize(
    "code", [errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENOSPC, errno.EIO, errno.ESTALE], ids=errno.errorcode.get
)
def test_what_could_not_be_executed_for_the_moment_may_be_another_time(code: int) -> None:
    error = f"cannot start: {OSError(code, os.strerror(code), '/bin/python3')}"
    finding = classify(Exit(127, 0.0, error=error), [], trained=False)
    assert finding == Finding(Cause.INFRASTRUCTURE, evidence=error)
    said = f"bash: /x/train.sh: {os.strerror(code)}"
    assert found(said, code=126, trained=False) == Finding(Cause.INFRASTRUCTURE, evidence=said)
    assert not found(TRACEBACK, CALL, f"ImportError: libx.so: {os.strerror(code)}", trained=False).startup


@pytest.mark.parametrize("code", [137, 143, 129, 130, 131])
def test_what_a_shell_says_of_a_signal_from_outside_counts_like_the_signal(code: int) -> None:
    assert found("ValueError", code=code, trained=False) == Finding(Cause.INFRASTRUCTURE, evidence=f"exit code {code}")


TRACEBACK = "Traceback (most recent call last):"
CALL = '  File "train.py", line 1, in <module>'
LIBRARY = "libascendcl.so: cannot open shared object file: No such file or directory"
STARTUP = [
    ([TRACEBACK, CALL, "    import x", "ModuleNotFoundError: No module named 'mindsporee'"], 1),
    (["\r 0%| | 0/10\r 5%|#| 1/20 Traceback (most recent call last):", CALL, f"ImportError: {LIBRARY}"], 1),
    ([TRACEBACK, CALL, "KeyError: 1", "", "During handling another came:", "", TRACEBACK, CALL, "ImportError: x"], 1),
    ([TRACEBACK, CALL, '  File "model.py", line 3', "    x = = 1", "        ^", "SyntaxError: invalid syntax"], 1),
    (['  File "train.py", line 3', "    x = = 1", "        ^", "SyntaxError: invalid syntax", ""], 1),
    (["train.py: error: unrecognized arguments: --bath_size"], 2),
    (["usage: train.py", "train.py: error: the following arguments are required: --data"], 2),
    (["Error: No such option: --bath"], 2),
    (["python3: can't open file '/x/train.py': [Errno 2] No such file or directory"], 2),
    (["bash: line 1: trane: command not found"], 127),
    (["nothing that we know"], 126),
]


@pytest.mark.parametrize(("lines", "code"), STARTUP)
def test_a_failure_that_the_next_start_would_meet_again_is_a_startup_failure(lines: list[str], code: int) -> None:
    finding = found(*lines, code=code, trained=False)
    assert (finding.cause, finding.startup) == (Cause.USER, True)


@pytest.mark.parametrize(("lines", "code"), STARTUP)
def test_after_the_first_step_nothing_is_a_startup_failure(lines: list[str], code: int) -> None:
    assert not found(*lines, code=code, trained=True).startup


@pytest.mark.parametrize(
    ("lines", "code", "cause"),
    [
        (["W libnvml: cannot open shared object file: No such file or directory",
          TRACEBACK, CALL, "RuntimeError: Connection reset by peer"], 1, Cause.INFRASTRUCTURE),
        (["libnvml: cannot open shared object file: No such file or directory",
          "RuntimeError: Connection reset by peer"], 1, Cause.INFRASTRUCTURE),
        (["ImportError: no flash_attn, falling back", "EI0006: Getting socket times out."], 1, Cause.INFRASTRUCTURE),
        ([TRACEBACK, CALL, "ImportError: no flash_attn", "falling back",
          TRACEBACK, CALL, "RuntimeError: EI0006"], 1, Cause.INFRASTRUCTURE),
        (["ImportError: no flash_attn"], 1, Cause.USER),
        (["SyntaxError: in line 3 of the config"], 1, Cause.USER),
        (["cat: /etc/x: No such file or directory", "EI0006: Getting socket times out."], 2, Cause.INFRASTRUCTURE),
        (["cat: /etc/x: No such file or directory"], 1, Cause.USER),
        (["python3: can't open file '/nfs/train.py': [Errno 116] Stale file handle"], 2, Cause.USER),
    ],
)  # fmt: skip
def test_a_warning_of_something_missing_is_no_startup_failure(lines: list[str], code: int, cause: Cause) -> None:
    finding = found(*lines, code=code, trained=False)
    assert (finding.cause, finding.startup) == (cause, False)


def test_another_exit_code_is_no_startup_failure() -> None:
    assert not found(TRACEBACK, CALL, "ModuleNotFoundError: No module named 'x'", code=17, trained=False).startup


def test_evidence_drives_no_terminal_and_is_short() -> None:
    evidence = found("\x1b[2J\x1b[31mout of memory\x07" + "x" * 1000).evidence
    assert evidence is not None and evidence.isprintable() and len(evidence) <= 300
    assert evidence.startswith("out of memory")
