"""The recipe's script."""

from pathlib import Path

import pytest


@pytest.fixture
def train_script(recipes: Path) -> str:
    return str(recipes / "resnext" / "train.py")
