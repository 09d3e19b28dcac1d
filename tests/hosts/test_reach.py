"""A command on this machine: what it is given and gives back."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from launcher.hosts.reach import ThisMachine

HERE = ThisMachine()


def test_outputs_status_and_input_pass_through() -> None:
    answer = HERE.run(["sh", "-c", "cat; echo err >&2; exit 3"], input=b"\x00\xff", timeout=20)
    assert (answer.code, answer.stdout, answer.stderr) == (3, b"\x00\xff", b"err\n")


def test_a_signal_is_a_negative_code() -> None:
    assert HERE.run(["sh", "-c", "kill -TERM $$"], timeout=20).code == -15


def test_a_program_that_is_not_there_is_a_problem_and_no_error() -> None:
    answer = HERE.run(["no-such-command"], timeout=20)
    assert (answer.code, answer.problem) == (None, "no-such-command: No such file or directory")


def test_what_takes_too_long_ends_with_all_of_its_children() -> None:
    answer = HERE.run(["sh", "-c", "echo so far; sleep 1000 & wait"], timeout=0.5)
    assert (answer.code, answer.stdout, answer.problem) == (None, b"so far\n", "sh did not end within 0.5 s")


def test_a_child_that_left_the_group_does_not_hold_the_answer_up(tmp_path: Path) -> None:
    script = f"setsid sleep 1000 & echo $! > {tmp_path}/pid; echo so far"
    answer = HERE.run(["sh", "-c", script], timeout=0.5)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (answer.code, answer.stdout) == (None, b"so far\n")


def test_an_interrupt_ends_the_command_as_well(tmp_path: Path) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGUSR1, interrupted)
    try:
        with pytest.raises(KeyboardInterrupt):
            HERE.run(["sh", "-c", f"cat; echo $$ > {tmp_path}/pid; kill -USR1 $PPID; sleep 1000"], timeout=60)
    finally:
        signal.signal(signal.SIGUSR1, before)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int((tmp_path / "pid").read_text())).wait(20)


def test_the_environment_is_added_to_our_own() -> None:
    program = [sys.executable, "-c", "import os; print(os.environ['A'], 'PATH' in os.environ)"]
    assert ThisMachine({"A": "b"}).run(program, timeout=20).stdout == b"b True\n"
