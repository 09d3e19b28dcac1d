"""Small jobs, for what their ranks are told."""

from __future__ import annotations

from typing import Any

import pytest

from launcher.errors import PlanError
from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.specs import Cluster, Device, Host, Recipe, recipe_from_mapping


def recipe(framework: str = "plain", ranks: int = 2, **more: Any) -> Recipe:
    values = {"name": "job", "framework": framework, "ranks": ranks, "script": "train.py", "relative_to": "/home/me"}
    return recipe_from_mapping(values | more)


def host(name: str, address: str, *ids: int) -> Host:
    last = sum(map(ord, address)) % 250
    return Host(name=name, address=address, devices=tuple(Device(id=id, ip=f"192.168.{id}.{last}") for id in ids))


ONE = (host("a", "10.0.0.1", *range(8)),)
TWO = (host("a", "10.0.0.1", 0, 1), host("b", "10.0.0.2", 0, 1))


def planned(recipe: Recipe, *hosts: Host, soc: str = "Ascend910B3", **more: Any) -> LaunchPlan:
    place = {"run": "job-1", "directory": "/runs/job-1", "scheduler_port": 8118, "python": "python3"} | more
    return plan(recipe, Cluster(name="lab", soc=soc, hosts=hosts or ONE), Place(**place))


def refusal(recipe: Recipe, *hosts: Host, soc: str = "Ascend910B3", **more: Any) -> PlanError:
    with pytest.raises(PlanError) as caught:
        planned(recipe, *hosts, soc=soc, **more)
    return caught.value
