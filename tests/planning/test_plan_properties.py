"""What a plan promises for any recipe on any cluster."""

from __future__ import annotations

import json
import pickle
from typing import Any

from hypothesis import given, settings
from spec_strategies import DIRECTORY, jobs

from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan, Target
from launcher.planning.place import Place, hccl_ports
from launcher.specs import Cluster, Recipe

Job = tuple[Recipe, Cluster, Place]
promise = settings(max_examples=60, deadline=None)


@given(jobs())
@promise
def test_ranks_are_contiguous_from_0(job: Job) -> None:
    launch = plan(*job)
    assert [rank.rank for rank in launch.ranks] == list(range(job[0].ranks)) == list(range(launch.world_size))
    assert [rank.env["RANK_ID"] for rank in launch.ranks] == [str(rank) for rank in range(launch.world_size)]
    assert {rank.env["RANK_SIZE"] for rank in launch.ranks} == {str(launch.world_size)}


@given(jobs())
@promise
def test_a_host_has_its_ranks_in_a_row(job: Job) -> None:
    launch = plan(*job)
    for host in launch.hosts:
        own = [rank for rank in launch.ranks if rank.host == host]
        assert [rank.local_rank for rank in own] == list(range(len(own)))
        assert [rank.rank for rank in own] == list(range(own[0].rank, own[0].rank + len(own)))


@given(jobs())
@promise
def test_a_device_has_one_rank(job: Job) -> None:
    launch, cluster = plan(*job), job[1]
    seats = [(rank.host, rank.slot) for rank in launch.ranks]
    assert len(set(seats)) == len(seats)
    assert set(seats) <= {(host.name, device.id) for host in cluster.hosts for device in host.device_list}


@given(jobs())
@promise
def test_the_rank_table_says_what_the_ranks_are_told(job: Job) -> None:
    launch, cluster = plan(*job), job[1]
    if launch.rank_table is None:
        assert launch.target is Target.CPU
        assert all("RANK_TABLE_FILE" not in rank.env for rank in launch.ranks)
        return
    table = json.loads(launch.rank_table.to_json())
    name_of = {host.address: host.name for host in cluster.hosts}
    entries = [
        (device["rank_id"], name_of[server["server_id"]], device["device_id"])
        for server in table["server_list"]
        for device in server["device"]
    ]
    assert entries == [(rank.env["RANK_ID"], rank.host, str(rank.device)) for rank in launch.ranks]
    assert int(table["server_count"]) == len(table["server_list"]) == len(launch.hosts)
    assert {rank.env["RANK_TABLE_FILE"] for rank in launch.ranks} == {launch.rank_table_path}


@given(jobs())
@promise
def test_every_scalar_of_the_rank_table_is_a_string(job: Job) -> None:
    launch = plan(*job)
    if launch.rank_table is not None:
        assert {type(scalar) for scalar in scalars(json.loads(launch.rank_table.to_json()))} == {str}


@given(jobs())
@promise
def test_no_two_processes_share_a_log_or_a_folder(job: Job) -> None:
    launch = plan(*job)
    processes = [*launch.ranks, *launch.services]
    for paths in (
        [process.log for process in processes],
        [process.cwd for process in processes],
        [rank.cann_log_dir for rank in launch.ranks],
    ):
        assert len(set(paths)) == len(paths)
        assert all(path.startswith(f"{DIRECTORY}/attempts/{launch.attempt}/") for path in paths)
    assert [rank.env["ASCEND_PROCESS_LOG_PATH"] for rank in launch.ranks] == [
        rank.cann_log_dir for rank in launch.ranks
    ]


@given(jobs())
@promise
def test_ranks_meet_outside_the_ports_of_hccl(job: Job) -> None:
    launch = plan(*job)
    for rank in launch.ranks:
        if "HCCL_IF_BASE_PORT" in rank.env:
            ports = hccl_ports(int(rank.env["HCCL_IF_BASE_PORT"]))
            assert {rank.env.get("MS_SCHED_PORT"), rank.env.get("MASTER_PORT")}.isdisjoint(map(str, ports))


@given(jobs())
@promise
def test_every_argument_and_variable_is_a_text_that_a_process_can_have(job: Job) -> None:
    launch = plan(*job)
    for process in (*launch.ranks, *launch.services):
        for text in (*process.argv, *process.env, *process.env.values(), process.cwd, process.log):
            assert isinstance(text, str)
            assert "\0" not in text


@given(jobs())
@promise
def test_all_ranks_have_the_same_variables(job: Job) -> None:
    assert len({tuple(sorted(rank.env)) for rank in plan(*job).ranks}) == 1


@given(jobs())
@promise
def test_the_runtimes_number_of_a_device_leads_to_the_physical_one_of_the_rank_table(job: Job) -> None:
    for rank in plan(*job).ranks:
        visible = rank.env.get("ASCEND_RT_VISIBLE_DEVICES")
        number = int(rank.env["DEVICE_ID"])
        assert rank.env["ASCEND_DEVICE_ID"] == rank.env["DEVICE_ID"]
        assert (number if visible is None else int(visible.split(",")[number])) == rank.slot
        if visible is not None:
            ids = [int(part) for part in visible.split(",")]
            assert ids == sorted(set(ids))
            assert rank.env["LOCAL_RANK"] == rank.env["DEVICE_ID"]


@given(jobs())
@promise
def test_every_variable_of_a_rank_has_an_origin(job: Job) -> None:
    launch = plan(*job)
    named = {name for layer in launch.layers for name in layer.names}
    assert all(named == set(rank.env) for rank in launch.ranks)
    given_by_npu_launch = set(launch.layers[-1].names)
    assert given_by_npu_launch <= set(launch.unset), "what npu-launch sets, a shell must not leak"
    assert given_by_npu_launch.isdisjoint(job[0].env)


@given(jobs())
@promise
def test_a_plan_is_a_value(job: Job) -> None:
    launch = plan(*job)
    text = launch.model_dump_json()
    read = LaunchPlan.model_validate_json(text)
    assert read == launch
    assert hash(read) == hash(launch)
    assert read.model_dump_json() == text
    assert pickle.loads(pickle.dumps(launch)) == launch


@given(jobs())
@promise
def test_planning_twice_gives_the_same_bytes(job: Job) -> None:
    assert plan(*job).model_dump_json() == plan(*job).model_dump_json()


def scalars(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [scalar for item in value.values() for scalar in scalars(item)]
    if isinstance(value, list):
        return [scalar for item in value for scalar in scalars(item)]
    return [value]
