"""Fixtures that every test may use."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import psutil
import pytest

from launcher.runs.home import runtime_path

for _name in ("COLUMNS", "LINES"):  # of the terminal that the tests are started from: commands ask their own
    os.environ.pop(_name, None)
_ENVIRONMENT = frozenset(os.environ)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has what it starts in the background ignore it

# Examples may take as long as they need: others have the processor too. CI's own profile says so already.
hypothesis.settings.register_profile("patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
if os.environ.get("CI") != "true":
    hypothesis.settings.load_profile("patient")

# Files whose tests take minutes, the longest first: begun late, they would have the last word alone.
_LONG = (
    "fleet/test_mishaps.py",
    "fleet/test_losses.py",
    "test_mindspore_end_to_end.py",
    "supervise/test_twenty_nodes.py",
    "test_resnet_end_to_end.py",
    "fleet/test_other_sites.py",
    "faults/test_supervision_faults.py",
    "faults/test_pairs.py",
    "supervise/test_spread.py",
    "fleet/",
    "recipes/",
    "supervise/test_leases.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest, where files are handed to several processes."""
    tests = Path(__file__).parent

    def turn(item: pytest.Item) -> int:
        place = item.path.relative_to(tests).as_posix()
        return next((turn for turn, long in enumerate(_LONG) if place.startswith(long)), len(_LONG))

    items.sort(key=turn)


def pytest_collection_finish() -> None:
    """Forget what modules that were imported meanwhile have set: MindSpore sets HCCL_CONNECT_TIMEOUT, for one."""
    for name in set(os.environ) - _ENVIRONMENT:
        if not name.startswith("PYTEST"):
            del os.environ[name]


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


@pytest.fixture
def shared_ports(home: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """One folder of claims for all tests that run beside each other: their ranks meet at ports of this machine."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    monkeypatch.setenv("NPU_LAUNCH_CLAIMS", str(folder / "claims"))


@pytest.fixture(scope="session")
def torch_python() -> str:
    """An interpreter with PyTorch: the one that NPU_LAUNCH_TEST_TORCH names, else this one.

    Where neither has it the test is skipped; with CI=true it fails.
    """
    named = os.environ.get("NPU_LAUNCH_TEST_TORCH")
    python = named or sys.executable
    looked = "import importlib.util, sys; sys.exit(importlib.util.find_spec('torch') is None)"
    if subprocess.run([python, "-c", looked], capture_output=True).returncode:
        reason = f"no PyTorch in {python}; NPU_LAUNCH_TEST_TORCH names a Python that has it"
        assert not named, reason
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    return python


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


def _wait_until_gone(path: Path, timeout: float = 120.0) -> list[str]:
    """Command lines of processes that belong to this home and do not end."""
    deadline = time.monotonic() + timeout
    while (processes := _processes_of(path)) and time.monotonic() < deadline:
        time.sleep(0.1)
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
