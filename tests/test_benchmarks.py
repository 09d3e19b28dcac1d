"""Benchmarks are run by hand and seldom: that they begin at all is tested here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.mark.parametrize("script", sorted(path.name for path in BENCHMARKS.glob("*.py")))
def test_a_benchmark_finds_all_that_it_imports(script: str) -> None:
    load = "import runpy, sys; sys.path[0] = sys.argv[1]; runpy.run_path(sys.argv[2])"
    loaded = subprocess.run(
        [sys.executable, "-c", load, str(BENCHMARKS), str(BENCHMARKS / script)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert loaded.returncode == 0, loaded.stderr
