"""The recipe's scripts."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run_without_framework(recipes: Path, tmp_path: Path) -> Run:
    """Runs a script of the recipe where MindSpore cannot be imported."""
    (tmp_path / "mindspore.py").write_text("raise SystemExit('the framework was imported')")

    def run(script: str, *flags: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, recipes / "resnet" / script, *flags],
            cwd=tmp_path,
            env={"PYTHONPATH": str(tmp_path), "DEVICE_TARGET": "CPU"},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run
