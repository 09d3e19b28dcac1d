"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from launcher.runs.store import runtime_path

for _name in ("COLUMNS", "LINES"):  # of the terminal that the tests are started from: commands ask their own
    os.environ.pop(_name, None)


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home of its own for the runs of a test, which must leave no process and no socket behind."""
    path = Path(tempfile.mkdtemp(prefix="nl-"))
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(path / "home"))
    monkeypatch.setenv("NPU_LAUNCH_CLAIMS", str(path / "claims"))
    runtime = runtime_path()
    try:
        yield path / "home"
        left = _wait_until_gone(path)
        sockets = [str(p) for p in (runtime, *runtime.rglob("*")) if p.exists()]
    finally:
        for process in _processes_of(path):
            process.kill()
        shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(runtime, ignore_errors=True)
    assert not left, f"still running: {left}"
    assert not sockets, f"still there: {sockets}"


class SmallDisk:
    """A file system of its own, which can be filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        with self._filler.open("wb", buffering=0) as filler, pytest.raises(OSError, match="No space"):
            while True:
                filler.write(b"x" * 4096)

    def make_room(self) -> None:
        self._filler.unlink()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """A disk of 2 MiB. Mounting one needs root: elsewhere the test is skipped with the reason."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk here: {mounted.stderr.decode().strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def _wait_until_gone(path: Path, timeout: float = 60.0) -> list[str]:
    """Command lines of processes that belong to this home and do not end."""
    deadline = time.monotonic() + timeout
    while (processes := _processes_of(path)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return [" ".join(_command(process))[:200] for process in processes]


def _processes_of(path: Path) -> list[psutil.Process]:
    """Every living process with this home in its environment, but for our own."""
    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.pid != os.getpid()
                and process.environ().get("NPU_LAUNCH_HOME") == str(path / "home")
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(process)
        except psutil.Error:
            continue
    return found


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
