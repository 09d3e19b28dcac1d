"""What the shipped recipes are at full size on Ascend."""

import json

import pytest

from tests.recipes.golden.regenerate import FULL_SIZE, full_size_plan, golden_path, golden_text


@pytest.mark.parametrize("name", FULL_SIZE)
def test_the_full_size_plan_of_a_recipe_is_the_golden_one(name: str) -> None:
    """After a change that is meant: python -m tests.recipes.golden.regenerate"""
    assert golden_text(name) == golden_path(name).read_text()


def test_the_rank_table_of_64_ranks_goes_from_the_first_device_to_the_last() -> None:
    table = full_size_plan("resnext_64p").rank_table
    assert table is not None
    servers = json.loads(table.to_json())["server_list"]
    assert [server["server_id"] for server in servers] == [f"10.0.0.{11 + number}" for number in range(8)]
    assert servers[0]["device"][0] == {"device_id": "0", "device_ip": "192.168.1.11", "rank_id": "0"}
    assert servers[-1]["device"][-1] == {"device_id": "7", "device_ip": "192.168.8.18", "rank_id": "63"}
