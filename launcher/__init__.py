"""npu-launch: launch, watch and explain training jobs on Ascend NPUs.

    from launcher import Cluster, Recipe, launch, load_cluster, load_recipe, plan

The names are loaded when they are first used, so that `import launcher` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from launcher.planning.compose import plan
    from launcher.planning.model import LaunchPlan
    from launcher.planning.place import Place
    from launcher.specs import Cluster, Recipe, load_cluster, load_recipe
    from launcher.supervise.handle import Run, launch

_HOMES = {
    "Cluster": "launcher.specs",
    "LaunchPlan": "launcher.planning.model",
    "Place": "launcher.planning.place",
    "Recipe": "launcher.specs",
    "Run": "launcher.supervise.handle",
    "launch": "launcher.supervise.handle",
    "load_cluster": "launcher.specs",
    "load_recipe": "launcher.specs",
    "plan": "launcher.planning.compose",
}

__all__ = ["Cluster", "LaunchPlan", "Place", "Recipe", "Run", "launch", "load_cluster", "load_recipe", "plan"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'launcher' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
