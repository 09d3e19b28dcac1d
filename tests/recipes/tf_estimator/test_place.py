"""Which rank a process takes itself for: what the plan of a run says is what is read."""

from __future__ import annotations

from typing import Any

import pytest
from cifar_cnn.place import ALONE, CHIEF, RANK_TABLE, Place, read_place
from hypothesis import given
from hypothesis import strategies as st
from training.errors import RecipeError

from launcher.planning.compose import plan
from launcher.planning.place import Place as RunPlace
from launcher.specs import Cluster, Host, recipe_from_mapping

TABLE = {
    "DEVICE_TARGET": "Ascend",
    "RANK_TABLE_FILE": "/hccl.json",
    "RANK_ID": "1",
    "RANK_SIZE": "2",
    "ASCEND_DEVICE_ID": "1",
    "JOB_ID": "10087",
}
AT_CHIEF = {
    "DEVICE_TARGET": "Ascend",
    "CM_CHIEF_IP": "10.0.0.1",
    "CM_CHIEF_PORT": "6000",
    "CM_CHIEF_DEVICE": "0",
    "CM_WORKER_SIZE": "2",
    "CM_WORKER_IP": "10.0.0.1",
    "DEVICE_INDEX": "1",
    "ASCEND_DEVICE_ID": "1",
    "JOB_ID": "x",
}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(RecipeError) as caught:
        read_place(environ, adapter_is_installed=True)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without(environ: dict[str, str], *names: str, **more: str) -> dict[str, str]:
    return {name: value for name, value in {**environ, **more}.items() if name not in names}


@given(ranks=st.sampled_from([1, 2, 4, 8]), form=st.sampled_from([RANK_TABLE, CHIEF]))
def test_a_rank_finds_its_place_in_what_npu_launch_sets(ranks: int, form: str) -> None:
    values: dict[str, Any] = {"name": "job", "framework": "tensorflow", "script": "train.py", "relative_to": "/home/me"}
    recipe = recipe_from_mapping({**values, "ranks": ranks, "rendezvous": "cm" if form == CHIEF else "auto"})
    cluster = Cluster(name="lab", soc="Ascend910B3", hosts=(Host(name="a", address="10.0.0.1", devices=8),))
    where = RunPlace(run="job-1", directory="/runs/job-1", scheduler_port=8118, python="python3")
    for rank in plan(recipe, cluster, where).ranks:
        assert read_place(rank.env, adapter_is_installed=False) == Place(True, rank.rank, ranks, form)


def test_where_nobody_says_there_is_an_npu_if_there_is_an_adapter() -> None:
    assert read_place({}, adapter_is_installed=False) == Place(False, 0, 1, ALONE)
    assert read_place({"JOB_ID": "10087"}, adapter_is_installed=True) == Place(True, 0, 1, ALONE)


@pytest.mark.parametrize("name", ["RANK_TABLE_FILE", "RANK_ID", "RANK_SIZE"])
def test_a_chief_and_a_rank_table_exclude_each_other(name: str) -> None:
    assert f"CM_CHIEF_IP=10.0.0.1, but {name} set too" in refusal({**AT_CHIEF, name: "1"})


@pytest.mark.parametrize("name", [name for name in AT_CHIEF if name not in ("CM_CHIEF_IP", "DEVICE_TARGET")])
def test_a_chief_is_described_completely(name: str) -> None:
    assert f"{name} is not set" in refusal(without(AT_CHIEF, name))


def test_a_chief_is_for_npus() -> None:
    assert "but DEVICE_TARGET is CPU" in refusal({**AT_CHIEF, "DEVICE_TARGET": "CPU"})


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"DEVICE_TARGET": "GPU"}, "DEVICE_TARGET=GPU: expected Ascend or CPU"),
        (without(TABLE, "RANK_TABLE_FILE"), "RANK_TABLE_FILE is not set: it says where all of RANK_SIZE=2 are"),
        (without(TABLE, "RANK_ID"), "RANK_ID is not set: it says which of RANK_SIZE=2 this is"),
        (without(TABLE, RANK_ID="two"), "RANK_ID=two: expected an integer of at least 0"),
        (without(TABLE, RANK_SIZE="0"), "RANK_SIZE=0: expected an integer of at least 1"),
        (without(TABLE, RANK_ID="2"), "this is rank 2 of 2: expected ranks from 0 to 1"),
        (without(TABLE, "JOB_ID"), "JOB_ID is not set: NPUEstimator does not start without"),
        (without(TABLE, "ASCEND_DEVICE_ID"), "ASCEND_DEVICE_ID is not set: each of several ranks would take device 0"),
        (without(TABLE, TF_CONFIG="{}"), "TF_CONFIG is set, which NPURunConfig takes for parameter servers"),
        ({"DEVICE_TARGET": "CPU", "RANK_SIZE": "8"}, "RANK_SIZE=8 on the CPU, where this script trains as one rank"),
    ],
)
def test_what_the_adapter_would_stumble_over_is_told_before(environ: dict[str, str], told: str) -> None:
    assert told in refusal(environ)
