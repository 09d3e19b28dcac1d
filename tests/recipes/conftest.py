"""The recipes' modules, importable as their scripts see them."""

import sys
from pathlib import Path

import pytest

_RECIPES = Path(__file__).parents[2] / "recipes"
sys.path += [str(_RECIPES), *(str(folder) for folder in sorted(_RECIPES.iterdir()) if (folder / "train.py").is_file())]


@pytest.fixture
def recipes() -> Path:
    """The folder of the shipped recipes."""
    return _RECIPES
