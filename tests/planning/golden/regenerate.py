"""Write the golden plan and rank table anew."""

from pathlib import Path

from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.specs import load_cluster, load_recipe

HERE = Path(__file__).parent


def golden_plan() -> LaunchPlan:
    """The plan of `recipe.yaml` on `cluster.yaml`, wherever this repository lies."""
    return plan(
        load_recipe(HERE / "recipe.yaml", ["relative_to=/home/train/recipes"]),
        load_cluster(HERE / "cluster.yaml"),
        Place(run="two-nodes-7f3a", directory="/runs/two-nodes-7f3a", scheduler_port=8118, python="/usr/bin/python3"),
    )


if __name__ == "__main__":
    launch = golden_plan()
    assert launch.rank_table is not None
    (HERE / "plan.json").write_text(launch.model_dump_json(indent=2) + "\n")
    (HERE / "hccl.json").write_text(launch.rank_table.to_json())
