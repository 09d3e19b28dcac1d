"""Any recipe and any cluster that fit together, for the promises that a plan keeps for all of them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from launcher.planning.place import Place
from launcher.specs import Cluster, Device, Host, Recipe, recipe_from_mapping

DIRECTORY = "/srv/a'; touch x #/{rank}/runs/job 1"

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12) | st.sampled_from(
    [
        "{rank}",
        "{rank_dir}/x",
        "{world_size}",
        '{"a": {b}}',
        "a'; touch x #",
        "{run_dir}",
        "{local_rank}",
        "{recipe_dir}",
    ]
)


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    soc = draw(st.sampled_from(["Ascend910B3", "Ascend910_9391", "CPU"]))
    numbers = draw(st.lists(st.integers(0, 255), min_size=1, max_size=5, unique=True))
    hosts = []
    for number in numbers:
        ids = draw(st.lists(st.integers(0, 15), min_size=1, max_size=8, unique=True))
        devices = tuple(Device(id=device, ip=f"192.168.{device}.{number}") for device in ids)
        hosts.append(Host(name=f"host-{number}", address=f"10.0.0.{number}", devices=devices))
    return Cluster(name="any", soc=soc, hosts=tuple(hosts))


@st.composite
def recipes(draw: st.DrawFn, most_ranks: int) -> Recipe:
    values: dict[str, Any] = {
        "name": draw(st.sampled_from(["job", "a'; touch x #", "训练"])),
        "framework": draw(st.sampled_from(["mindspore", "pytorch", "tensorflow", "plain"])),
        "ranks": draw(st.integers(1, most_ranks)),
        "script": draw(st.sampled_from(["train.py", "a'; touch x #.py", "bin/train", "/opt/train.py"])),
        "args": draw(
            st.dictionaries(st.sampled_from(["a", "b.c", "resume"]), texts | st.integers() | st.booleans() | st.none())
            | st.lists(texts, max_size=4)
        ),
        "env": draw(st.dictionaries(st.sampled_from(["A", "PATH", "MS_RECOVERY_DIR"]), texts)),
        "gang": draw(st.booleans()),
        "relative_to": "/home/me/recipes",
    }
    if draw(st.booleans()):
        values["checkpoint"] = {"dir": draw(st.sampled_from(["{run_dir}/ckpt", "ckpt/{rank}"])), "resume_arg": "resume"}
    if isinstance(values["args"], dict) and "a" in values["args"] and draw(st.booleans()):
        lists = st.lists(texts | st.none() | st.booleans(), min_size=1, max_size=most_ranks, unique_by=repr)
        swept = {"framework": "plain", "gang": False, "sweep": {"args.a": draw(lists)}}
        values = {key: value for key, value in (values | swept).items() if key not in ("ranks", "checkpoint")}
    return recipe_from_mapping(values)


@st.composite
def jobs(draw: st.DrawFn) -> tuple[Recipe, Cluster, Place]:
    cluster = draw(clusters())
    recipe = draw(recipes(cluster.device_count))
    place = Place(
        run="job-7f3a",
        directory=DIRECTORY,
        attempt=draw(st.integers(1, 3)),
        scheduler_port=draw(st.integers(1024, 65000).filter(lambda port: port not in range(60000, 60032))),
        python="/usr/bin/python3",
        resume_from=draw(st.sampled_from([None, "/ckpt/7.ckpt"])) if recipe.checkpoint else None,
    )
    return recipe, cluster, place
