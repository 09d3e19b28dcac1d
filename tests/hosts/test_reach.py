"""A command on this machine: what it is given and gives back."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from launcher.errors import InfrastructureError
from launcher.hosts.reach import ThisMachine
from tests.conftest import SmallDisk

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
    answer = HERE.run(["sh", "-c", "echo so far; sleep 1000 & wait"], timeout=3)
    assert (answer.code, answer.stdout, answer.problem) == (None, b"so far\n", "sh did not end within 3 s")


def test_a_child_that_left_the_group_does_not_hold_the_answer_up(tmp_path: Path) -> None:
    script = f"setsid sleep 1000 & echo $! > {tmp_path}/pid; echo so far"
    answer = HERE.run(["sh", "-c", script], timeout=3)
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


def test_a_file_is_written_whole_with_its_mode_and_its_folders_and_comes_back(tmp_path: Path) -> None:
    there = tmp_path / "a/b c/token"
    HERE.put(b"\x00secret\xff", str(there), mode=0o700, timeout=20)
    assert (there.read_bytes(), there.stat().st_mode & 0o777) == (b"\x00secret\xff", 0o700)
    assert there.parent.stat().st_mode & 0o777 == 0o700
    HERE.get(str(there), tmp_path / "new/back", timeout=20)
    HERE.put(tmp_path / "new/back", str(there), timeout=20)
    assert (there.read_bytes(), there.stat().st_mode & 0o777) == (b"\x00secret\xff", 0o600)
    assert list(there.parent.iterdir()) == [there]


def test_a_relative_path_begins_at_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    HERE.put(b"x", "runs/note", timeout=20)
    assert (tmp_path / "runs/note").read_bytes() == b"x"


def test_what_cannot_be_read_or_written_is_named(tmp_path: Path, small_disk: SmallDisk) -> None:
    with pytest.raises(InfrastructureError, match="none: cannot be read: No such file"):
        HERE.get(str(tmp_path / "none"), tmp_path / "back", timeout=20)
    assert list(tmp_path.glob("back*")) == []
    with pytest.raises(InfrastructureError, match="big: cannot be written: No space left"):
        HERE.put(bytes(3 << 20), str(small_disk.path / "big"), timeout=20)
    assert list(small_disk.path.iterdir()) == []
