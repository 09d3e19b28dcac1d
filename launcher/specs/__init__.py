"""What people write: clusters and recipes, read with the place of every mistake."""

from launcher.specs.cluster import Cluster, Device, Host, Ssh
from launcher.specs.dump import dump_yaml
from launcher.specs.frozen import FrozenMap
from launcher.specs.load import load_cluster, load_recipe, recipe_from_mapping
from launcher.specs.recipe import Checkpoint, Framework, Prewarm, Recipe
from launcher.specs.recovery import Hang, HangPolicy, Restart, RestartPolicy

__all__ = [
    "Checkpoint",
    "Cluster",
    "Device",
    "Framework",
    "FrozenMap",
    "Hang",
    "HangPolicy",
    "Host",
    "Prewarm",
    "Recipe",
    "Restart",
    "RestartPolicy",
    "Ssh",
    "dump_yaml",
    "load_cluster",
    "load_recipe",
    "recipe_from_mapping",
]
