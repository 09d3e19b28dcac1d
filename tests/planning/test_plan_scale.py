"""A plan grows with its ranks, and not faster."""

from __future__ import annotations

import pytest

from launcher.planning.compose import plan
from launcher.planning.place import Place
from launcher.specs import Cluster, Device, Host, recipe_from_mapping

FEW, MANY = 512, 2048


def size_of_a_rank(framework: str, ranks: int) -> float:
    """Bytes of the files of a plan and its rank table, for each rank."""
    recipe = recipe_from_mapping(
        {"name": "job", "framework": framework, "ranks": ranks, "script": "t.py", "relative_to": "/home/me"}
    )
    hosts = tuple(
        Host(
            name=f"h{number:04}",
            address=f"10.1.{number // 100 + 100}.{number % 100 + 100}",
            devices=tuple(
                Device(id=id, ip=f"29.{id + 100}.{number // 100 + 100}.{number % 100 + 100}") for id in range(8)
            ),
        )
        for number in range(ranks // 8)
    )
    made = plan(recipe, Cluster(name="large", soc="Ascend910B3", hosts=hosts), Place.example(recipe))
    assert made.rank_table is not None
    return (len(made.model_dump_json()) + len(made.rank_table.to_json())) / ranks


@pytest.mark.parametrize("framework", ["mindspore", "pytorch", "tensorflow", "plain"])
def test_four_times_the_ranks_are_four_times_the_bytes(framework: str) -> None:
    assert size_of_a_rank(framework, MANY) < 1.05 * size_of_a_rank(framework, FEW)
