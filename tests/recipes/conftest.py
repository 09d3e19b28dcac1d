"""The recipe's modules, importable as its script sees them, and the script itself."""

import sys
from pathlib import Path

import pytest

_RECIPE = Path(__file__).parents[2] / "recipes" / "resnext"
sys.path.insert(0, str(_RECIPE))


@pytest.fixture
def train_script() -> str:
    return str(_RECIPE / "train.py")
