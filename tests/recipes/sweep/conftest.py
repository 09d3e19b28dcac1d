"""The sweep's script as a module, beside the `train` modules of other recipes."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def sweep_script() -> ModuleType:
    path = Path(__file__).parents[3] / "recipes" / "sweep" / "train.py"
    spec = importlib.util.spec_from_file_location("sweep_train", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
