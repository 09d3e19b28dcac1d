"""The framework a script trains with, or one line that it is not there."""

from __future__ import annotations

import importlib
import sys

from training.errors import RecipeError


def require(framework: str) -> None:
    """Import a framework. Raises RecipeError where the Python that runs the script has none.

    What a framework that is there fails to import is not for the script to explain: that stays as it is.
    """
    try:
        importlib.import_module(framework)
    except ModuleNotFoundError as error:
        if error.name != framework:
            raise
        raise RecipeError(
            f"No module named '{framework}' for {sys.executable}: install it there, or name a Python that has it, "
            "under npu-launch as `python:` in the recipe"
        ) from error
