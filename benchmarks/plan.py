"""How long a plan takes, and how much memory: plan, rank table, and both as the files that a run keeps of them.

Each size is measured in a process of its own, several times, in processor time of its one thread; the least counts, for
what disturbs only adds.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe
from launcher.planning.compose import plan
from launcher.planning.place import Place
from launcher.specs import Cluster, Device, Host, Recipe, recipe_from_mapping

_SIZES = (8, 512, 10_000, 100_000)
_DEVICES = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ranks", type=int, nargs="+", default=list(_SIZES))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", type=Path, help="keep every figure in this file")
    parser.add_argument("--framework", default="pytorch")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        print(json.dumps(_measure(options.one, options.framework)))
        return
    print(describe())
    print()
    print("| ranks | plan | rank table's file | plan's file | together | per rank | memory, more | files |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    kept = {}
    for ranks in options.ranks:
        command = [sys.executable, __file__, "--one", str(ranks), "--framework", options.framework]
        runs = [json.loads(subprocess.check_output(command)) for _ in range(options.repeats)]
        kept[ranks] = runs
        least = {name: min(run[name] for run in runs) for name in runs[0]}
        together = least["plan"] + least["table"] + least["file"]
        print(
            f"| {ranks} | {least['plan']:.3f} s | {least['table']:.3f} s | {least['file']:.3f} s | {together:.3f} s "
            f"| {together / ranks * 1e6:.0f} µs | {least['memory']:.0f} MiB | {least['bytes'] / 1e6:.1f} MB |"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(kept, indent=1) + "\n")


def _measure(ranks: int, framework: str) -> dict[str, float]:
    recipe, cluster = job(ranks, framework)
    place = Place.example(recipe)
    plan(*job(1, framework), place)  # the models are built, and modules imported, when they are first used
    idle = _peak()
    began = time.process_time()
    made = plan(recipe, cluster, place)
    planned = time.process_time()
    assert made.rank_table is not None
    table = made.rank_table.to_json()
    written = time.process_time()
    text = made.model_dump_json(indent=1)
    ended = time.process_time()
    return {
        "plan": planned - began,
        "table": written - planned,
        "file": ended - written,
        "memory": (_peak() - idle) / 1024,
        "bytes": len(table) + len(text),
    }


def job(ranks: int, framework: str) -> tuple[Recipe, Cluster]:
    """A job of so many ranks on hosts of 8 devices, with arguments and variables of its own."""
    recipe = recipe_from_mapping(
        {
            "name": "job",
            "framework": framework,
            "ranks": min(ranks, 65536),
            "script": "train.py",
            "args": {"batch_size": 32, "epochs": 90, "out": "{checkpoint_dir}", "seed": "{rank}"},
            "env": {"HCCL_CONNECT_TIMEOUT": 600, "HCCL_BUFFSIZE": 400},
            "checkpoint": {"dir": "{run_dir}/checkpoints", "resume_arg": "resume_from"},
            "relative_to": "/home/train/recipes",
        }
    )
    hosts = tuple(
        Host(
            name=f"node-{number}",
            address=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",
            devices=tuple(
                Device(id=device, ip=f"29.{(number >> 16) + 8 * device}.{number >> 8 & 255}.{number & 255}")
                for device in range(_DEVICES)
            ),
        )
        for number in range(-(-ranks // _DEVICES))
    )
    # A recipe goes to 65,536 ranks, as HCCL does; what comes after that shows only whether the time stays linear.
    return recipe.model_copy(update={"ranks": ranks}), Cluster(name="large", soc="Ascend910B3", hosts=hosts)


def _peak() -> int:
    """The most memory that this process has had, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
