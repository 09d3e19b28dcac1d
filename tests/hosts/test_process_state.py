"""What a process does is read from the kernel, whatever it calls itself."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from launcher.hosts.process_state import process_state


def test_our_own_process_runs() -> None:
    assert process_state(os.getpid()) in ("R", "S")


def test_a_suspended_process_is_stopped_and_one_that_is_gone_has_no_state() -> None:
    process = subprocess.Popen(["sleep", "60"])
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    assert process_state(process.pid) == "T"
    process.kill()
    process.wait()
    assert process_state(process.pid) is None


@pytest.mark.parametrize("name", [b"train.py", b"a) S (b", b"x\ny", b"\xff"])
def test_the_name_of_a_process_is_no_part_of_its_state(tmp_path: Path, name: bytes) -> None:
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "stat").write_bytes(b"7 (" + name + b") D 1 7 7 0 -1 4194304")
    assert process_state(7, tmp_path) == "D"
