"""What people write: clusters and recipes, read with the place of every mistake."""

from launcher.specs.choices import Binding, Preflight, RankTableFormat, Rendezvous
from launcher.specs.cluster import Cluster, Host
from launcher.specs.container import Container, ContainerRuntime
from launcher.specs.device import AddressType, Device, Level, LevelAddress
from launcher.specs.dump import dump_yaml
from launcher.specs.frozen import FrozenMap
from launcher.specs.load import cluster_from_mapping, load_cluster, load_recipe, recipe_from_mapping
from launcher.specs.login import Ssh
from launcher.specs.ray import Ray, RayTls
from launcher.specs.recipe import Checkpoint, Framework, Prewarm, Recipe
from launcher.specs.recovery import Hang, HangPolicy, Restart, RestartPolicy

__all__ = [
    "AddressType",
    "Binding",
    "Checkpoint",
    "Cluster",
    "Container",
    "ContainerRuntime",
    "Device",
    "Framework",
    "FrozenMap",
    "Hang",
    "HangPolicy",
    "Host",
    "Level",
    "LevelAddress",
    "Preflight",
    "Prewarm",
    "RankTableFormat",
    "Ray",
    "RayTls",
    "Recipe",
    "Rendezvous",
    "Restart",
    "RestartPolicy",
    "Ssh",
    "cluster_from_mapping",
    "dump_yaml",
    "load_cluster",
    "load_recipe",
    "recipe_from_mapping",
]
