"""The recipes' modules, importable as their scripts see them."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_RECIPES = Path(__file__).parents[2] / "recipes"
sys.path += [str(_RECIPES), *(str(folder) for folder in sorted(_RECIPES.iterdir()) if (folder / "train.py").is_file())]


@pytest.fixture(autouse=True)
def same_environment() -> Iterator[None]:
    """MindSpore sets variables of its own, HCCL_CONNECT_TIMEOUT among them, which runs of later tests would inherit."""
    before = dict(os.environ)
    yield
    if os.environ != before:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def recipes() -> Path:
    """The folder of the shipped recipes."""
    return _RECIPES
