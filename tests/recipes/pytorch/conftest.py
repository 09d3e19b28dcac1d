"""The recipe's script, and a process with PyTorch that looks whether promises are kept."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.recipes.pytorch.names import PROMISES


@pytest.fixture(scope="session")
def train_script() -> Path:
    return Path(__file__).parents[3] / "recipes" / "pytorch" / "train.py"


@pytest.fixture(scope="session")
def kept_with_torch(torch_python: str, train_script: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """By promise of `promises.py`, the traceback if it is not kept. PyTorch is imported once for all of them."""
    recipe = train_script.parent
    done = subprocess.run(
        [torch_python, PROMISES],
        cwd=tmp_path_factory.mktemp("torch"),
        env={
            **{
                name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE", "DEVICE_TARGET")
            },
            "PYTHONPATH": os.pathsep.join([str(recipe), str(recipe.parent)]),
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        },
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    kept: dict[str, str] = json.loads(done.stdout)
    return kept
