"""Write the golden rank tables anew."""

from pathlib import Path

from launcher.planning.placement import place_ranks
from launcher.planning.ranktable.formats import rank_table
from launcher.specs import load_cluster, recipe_from_mapping

HERE = Path(__file__).parent

# The table's file, the cluster that it is of, and the format that is asked for.
TABLES = (
    ("first_910.json", "first_910.yaml", "auto"),
    ("first_910_legacy.json", "first_910.yaml", "legacy"),
    ("first_910_legacy_lab.json", "first_910.yaml", "legacy-lab"),
    ("a2.json", "a2.yaml", "auto"),
    ("a3.json", "a3.yaml", "auto"),
    ("a3_super_pods.json", "a3_super_pods.yaml", "auto"),
    ("ascend950.json", "ascend950.yaml", "auto"),
)


def golden_table(cluster_file: str, wanted: str) -> str:
    """The text of the table of all devices of a cluster."""
    cluster = load_cluster(HERE / cluster_file)
    recipe = recipe_from_mapping(
        {
            "name": "all",
            "framework": "plain",
            "ranks": cluster.device_count,
            "script": "train.py",
            "relative_to": "/home/train",
        }
    )
    return rank_table(place_ranks(recipe, cluster), cluster, wanted).to_json()


if __name__ == "__main__":
    for name, cluster_file, wanted in TABLES:
        (HERE / name).write_text(golden_table(cluster_file, wanted))
