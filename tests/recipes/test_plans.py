"""What the shipped recipes are at full size on Ascend."""

import json
from pathlib import Path

import pytest

from launcher.specs import Framework, load_recipe
from tests.recipes.golden.regenerate import FULL_SIZE, full_size_plan, golden_path, golden_text

SHIPPED = sorted((Path(__file__).parents[2] / "recipes").glob("*.yaml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_what_trains_with_micro_batches_says_so_that_a_batch_too_large_can_be_split(path: Path) -> None:
    """TensorFlow's script has no accumulation, and an evaluation needs none."""
    recipe = load_recipe(path)
    if recipe.framework in (Framework.MINDSPORE, Framework.PYTORCH) and "evaluate" not in recipe.args:
        assert recipe.knobs == {"micro_batch": "args.batch_size", "accumulation": "args.accumulation"}


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
