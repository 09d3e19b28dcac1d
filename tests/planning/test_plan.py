"""What a rank is given, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golden.regenerate import golden_plan

from launcher.errors import PlanError
from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.specs import Cluster, Device, Host, Recipe, dump_yaml, load_recipe, recipe_from_mapping

GOLDEN = Path(__file__).parent / "golden"


def recipe(**more: Any) -> Recipe:
    values = {"name": "job", "framework": "plain", "ranks": 2, "script": "train.py", "relative_to": "/home/me"}
    return recipe_from_mapping(values | more)


def host(name: str, address: str, *ids: int, with_ips: bool = True) -> Host:
    last = sum(map(ord, address)) % 250
    ips = [f"192.168.{device}.{last}" if with_ips else None for device in ids]
    return Host(
        name=name, address=address, devices=tuple(Device(id=id, ip=ip) for id, ip in zip(ids, ips, strict=True))
    )


def cluster(*hosts: Host, soc: str = "Ascend910B3") -> Cluster:
    return Cluster(name="lab", soc=soc, hosts=hosts or (host("a", "10.0.0.1", *range(8), with_ips=False),))


def place(**more: Any) -> Place:
    return Place(**{"run": "job-1", "directory": "/runs/job-1", "scheduler_port": 8118, "python": "python3"} | more)


def planned(recipe: Recipe, *hosts: Host, soc: str = "Ascend910B3", **more: Any) -> LaunchPlan:
    return plan(recipe, cluster(*hosts, soc=soc), place(**more))


def refusal(recipe: Recipe, *hosts: Host, soc: str = "Ascend910B3", **more: Any) -> PlanError:
    with pytest.raises(PlanError) as caught:
        planned(recipe, *hosts, soc=soc, **more)
    return caught.value


CPU = {"soc": "CPU"}
TWO = (host("b", "10.0.0.9", 0, 1), host("a", "10.0.0.10", 0, 1))


def test_the_plan_of_a_small_cluster_is_the_golden_one() -> None:
    """After a change that is meant: python tests/planning/golden/regenerate.py"""
    launch = golden_plan()
    assert launch.model_dump_json(indent=2) + "\n" == (GOLDEN / "plan.json").read_text()
    assert launch.rank_table is not None
    assert launch.rank_table.to_json() == (GOLDEN / "hccl.json").read_text()


def test_arguments_become_a_command_line() -> None:
    values = {
        "a": 4,
        "b": True,
        "c": False,
        "d": None,
        "e": [3, "x"],
        "f": "True",
        "g": '{"r": {x}}',
        "h": "{rank}/{run}",
    }
    assert planned(recipe(args=values)).ranks[1].argv == (
        *("python3", "/home/me/train.py", "--a=4", "--b", "--e", "3", "x", "--f=True", '--g={"r": {x}}', "--h=1/job-1"),
    )


def test_a_list_of_arguments_is_passed_on() -> None:
    assert planned(recipe(args=["--x", "{rank}"])).ranks[0].argv[2:] == ("--x", "0")


def test_a_plain_script_that_is_not_python_is_a_program() -> None:
    assert planned(recipe(script="bin/train")).ranks[0].argv == ("/home/me/bin/train",)
    assert planned(recipe(script="bin/train", framework="pytorch")).ranks[0].argv[0] == "python3"


def test_the_recipe_chooses_its_python() -> None:
    assert planned(recipe(python="venv/bin/python")).ranks[0].argv[0] == "/home/me/venv/bin/python"


def test_a_resumed_rank_is_told_the_checkpoint_once() -> None:
    resumable = recipe(args={"resume": "", "x": 1}, checkpoint={"dir": "{run_dir}/c", "resume_arg": "resume"})
    launch = planned(resumable, resume_from="/c/7.ckpt", attempt=2)
    assert launch.ranks[0].argv[2:] == ("--x=1", "--resume=/c/7.ckpt")
    assert launch.checkpoints is not None
    assert launch.checkpoints.directories == ("/runs/job-1/c",)


def test_ranks_may_have_checkpoints_of_their_own() -> None:
    launch = planned(
        recipe(checkpoint={"dir": "ckpt/{rank}", "resume_arg": "resume"}, args={"out": "{checkpoint_dir}"})
    )
    assert launch.checkpoints is not None
    assert launch.checkpoints.directories == ("/home/me/ckpt/0", "/home/me/ckpt/1")
    assert launch.ranks[1].argv[-1] == "--out=/home/me/ckpt/1"


def test_a_checkpoint_without_a_way_to_resume_is_refused() -> None:
    assert refusal(recipe(), resume_from="/c").expected == "a checkpoint section with dir and resume_arg"


def test_the_recipe_wins_over_defaults() -> None:
    assert planned(recipe(), **CPU).ranks[0].env["OMP_NUM_THREADS"] == "1"
    assert planned(recipe(env={"OMP_NUM_THREADS": 4}), **CPU).ranks[0].env["OMP_NUM_THREADS"] == "4"
    assert "OMP_NUM_THREADS" not in planned(recipe()).ranks[0].env
    assert planned(recipe(env={"ASCEND_SLOG_PRINT_TO_STDOUT": 1})).ranks[0].env["ASCEND_SLOG_PRINT_TO_STDOUT"] == "1"


@pytest.mark.parametrize(
    "name", ["RANK_ID", "RANK_SIZE", "DEVICE_ID", "RANK_TABLE_FILE", "MS_NODE_ID", "MS_WORKER_NUM"]
)
def test_the_recipe_cannot_say_who_a_rank_is(name: str) -> None:
    error = refusal(recipe(framework="mindspore", env={name: "0", "A": "1"}))
    assert error.what == f"env.{name}: npu-launch itself sets this for every rank"
    assert error.remedy.startswith(f"remove {name} from env")


def test_another_frameworks_variables_are_the_recipes_to_set() -> None:
    assert planned(recipe(env={"MASTER_ADDR": "10.0.0.7"})).ranks[0].env["MASTER_ADDR"] == "10.0.0.7"


def test_more_ranks_than_devices_are_refused() -> None:
    error = refusal(recipe(ranks=16))
    assert error.what == "16 ranks, but cluster lab has 8 devices on 1 host"
    assert error.remedy == "set ranks to 8 or less, or add hosts to the cluster"
    assert "8 process slots" in refusal(recipe(ranks=16), **CPU).what


@pytest.mark.parametrize(
    ("taken", "way_out"),
    [(6, "set ranks to 2 or less"), (7, "set ranks to 1"), (8, "wait until a device is free")],
)
def test_when_devices_are_taken_the_way_out_is_one_that_there_is(taken: int, way_out: str) -> None:
    error = refusal(recipe(ranks=3), unavailable=tuple(("a", device) for device in range(taken)))
    assert error.what == f"3 ranks, but cluster lab has 8 devices on 1 host, {taken} of them taken"
    assert error.remedy == f"{way_out}, or add hosts to the cluster"


def test_hosts_without_device_addresses_are_named() -> None:
    lacking = host("b", "10.0.0.2", 0, with_ips=False)
    error = refusal(recipe(), host("a", "10.0.0.1", 0), lacking)
    assert error.what == "devices without an address on b: HCCL needs them between hosts"
    assert "hccn_tool" in error.remedy
    assert planned(recipe(ranks=1), lacking).rank_table is not None
    assert planned(recipe(), host("a", "10.0.0.1", 0), lacking, **CPU).rank_table is None


def test_mindspore_ranks_follow_the_order_of_server_ids() -> None:
    launch = planned(recipe(framework="mindspore", ranks=3), *TWO)
    assert launch.rank_table is not None
    assert [server.server_id for server in launch.rank_table.server_list] == ["10.0.0.10", "10.0.0.9"]
    assert [(rank.rank, rank.host) for rank in launch.ranks] == [(0, "a"), (1, "a"), (2, "b")]
    assert launch.ranks[2].env["MS_SCHED_HOST"] == "10.0.0.10"
    assert launch.services[0].host == "a"


def test_other_ranks_follow_the_order_of_the_cluster() -> None:
    assert planned(recipe(framework="pytorch", ranks=3), *TWO).hosts == ("b", "a")


def test_only_hosts_that_are_needed_are_used() -> None:
    assert planned(recipe(framework="mindspore", ranks=2), *TWO).hosts == ("b",)


def test_mindspore_ranks_meet_at_a_scheduler() -> None:
    launch = planned(recipe(framework="mindspore"), scheduler_port=9000)
    env = launch.ranks[1].env
    assert {name: env[name] for name in env if name.startswith("MS_")} == {
        "MS_ROLE": "MS_WORKER",
        "MS_NODE_ID": "1",
        "MS_WORKER_NUM": "2",
        "MS_SCHED_HOST": "127.0.0.1",
        "MS_SCHED_PORT": "9000",
        "MS_RETRY_INTERVAL_LOWER": "1",
        "MS_RETRY_INTERVAL_UPPER": "1",
    }
    (scheduler,) = launch.services
    assert scheduler.argv[:2] == ("python3", "-c")
    assert (scheduler.env["MS_ROLE"], scheduler.env["MS_WORKER_NUM"]) == ("MS_SCHED", "2")
    assert scheduler.env["MS_RETRY_INTERVAL_UPPER"] == "1"
    assert "RANK_ID" not in scheduler.env


@pytest.mark.parametrize("name", ["MS_RETRY_INTERVAL_LOWER", "MS_RETRY_INTERVAL_UPPER"])
def test_the_recipe_may_slow_the_heartbeat_of_mindspore(name: str) -> None:
    launch = planned(recipe(framework="mindspore", env={name: 4}))
    for env in (launch.ranks[1].env, launch.services[0].env):
        assert {key: env[key] for key in env if key.startswith("MS_RETRY")} == {name: "4"}
    assert launch.warnings == ()


def test_a_large_mindspore_cluster_keeps_its_heartbeat() -> None:
    hosts = [
        Host(
            name=f"h{number}",
            address=f"10.0.1.{number}",
            devices=tuple(Device(id=id, ip=f"10.1.{number}.{id}") for id in range(8)),
        )
        for number in range(33)
    ]
    slow, fast = (planned(recipe(framework="mindspore", ranks=ranks), *hosts) for ranks in (257, 256))
    assert "MS_RETRY_INTERVAL_UPPER" not in slow.ranks[0].env
    assert fast.ranks[0].env["MS_RETRY_INTERVAL_UPPER"] == "1"


def test_one_mindspore_rank_runs_alone() -> None:
    launch = planned(recipe(framework="mindspore", ranks=1))
    assert launch.services == ()
    assert not [name for name in launch.ranks[0].env if name.startswith("MS_")]


def test_mindspore_hosts_meet_at_an_ip() -> None:
    named = (host("a", "node-a", 0), host("b", "node-b", 0))
    assert "node-a, but MindSpore's scheduler needs an IP" in refusal(recipe(framework="mindspore"), *named).what
    assert planned(recipe(framework="pytorch"), *named).ranks[1].env["MASTER_ADDR"] == "node-a"


def test_mindspore_workers_are_told_their_ipv6_address() -> None:
    launch = planned(recipe(framework="mindspore"), host("a", "fd00::1", 0), host("b", "fd00::2", 0))
    assert [rank.env["MS_WORKER_IP"] for rank in launch.ranks] == ["fd00::1", "fd00::2"]


def test_pytorch_ranks_have_what_torchrun_gives() -> None:
    env = planned(recipe(framework="pytorch", ranks=3), *TWO).ranks[2].env
    names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
    assert tuple(env[name] for name in names) == ("2", "0", "3", "1", "1", "10.0.0.9", "8118")


def test_pytorch_device_local_rank_is_the_ranks_own() -> None:
    env = planned(recipe(framework="pytorch"), host("a", "10.0.0.1", 4, 5)).ranks[1].env
    assert env["ASCEND_RT_VISIBLE_DEVICES"] == "4,5"
    assert (env["LOCAL_RANK"], env["ASCEND_DEVICE_ID"], env["DEVICE_ID"]) == ("1", "1", "1")
    assert "ASCEND_RT_VISIBLE_DEVICES" not in planned(recipe(framework="pytorch")).ranks[1].env


def test_tensorflow_ranks_have_a_job_and_a_place_in_it() -> None:
    env = planned(recipe(framework="tensorflow")).ranks[1].env
    assert (env["JOB_ID"], env["DEVICE_INDEX"], env["RANK_ID"]) == ("job-1", "1", "1")


def test_a_scheduler_port_of_hccl_is_refused() -> None:
    error = refusal(recipe(framework="mindspore"), scheduler_port=60031)
    assert error.what == "scheduler port 60031 is one of the ports 60000-60031 that HCCL uses"
    assert planned(recipe(), scheduler_port=60031, **CPU)
    assert "that HCCL uses" in refusal(recipe(env={"HCCL_IF_BASE_PORT": 8100})).what
    assert refusal(recipe(env={"HCCL_IF_BASE_PORT": "many"})).expected.startswith("a port from 1024 to 65520")


def test_some_ranks_of_a_plain_job_can_be_launched_alone() -> None:
    launch = planned(recipe(ranks=8), ranks=(5, 3))
    assert [rank.rank for rank in launch.ranks] == [3, 5]
    assert {rank.env["RANK_SIZE"] for rank in launch.ranks} == {"8"}


def test_ranks_that_train_together_start_together() -> None:
    assert "ranks train together" in refusal(recipe(framework="mindspore"), ranks=(1,)).what
    assert refusal(recipe(), ranks=(2,)).what == "no rank 2"
    assert refusal(recipe(), ranks=()).what == "no rank to launch"


def test_a_chip_gets_the_rank_table_that_it_needs() -> None:
    assert "which rank table 2.0 needs" in refusal(recipe(), soc="Ascend950PR").what
    table = planned(recipe(rank_table="legacy"), host("a", "10.0.0.1", 0, 1), soc="Ascend910A").rank_table
    assert table is not None
    assert "group_list" in table.to_json()


def test_a_recipe_from_nowhere_is_refused() -> None:
    assert "relative_to" in refusal(recipe(relative_to=None)).remedy


def test_nothing_of_another_launcher_leaks_in() -> None:
    leaks = {"RANK_TABLE_FILE", "MINDSPORE_HCCL_CONFIG_PATH", "MS_ROLE", "RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_RANK"}
    assert leaks < set(planned(recipe()).unset)


def test_a_resolved_copy_gives_the_same_plan(tmp_path: Path) -> None:
    original, copy = tmp_path / "{rank}" / "r.yaml", tmp_path / "run" / "recipe.yaml"
    for file in (original, copy):
        file.parent.mkdir()
    original.write_text(dump_yaml(recipe(relative_to=None, cwd="work", args={"x": "{recipe_dir}/{rank}"})))
    read = load_recipe(original)
    copy.write_text(dump_yaml(read.resolved()))
    assert planned(load_recipe(copy)) == planned(read)
    assert planned(read).ranks[1].argv[-1] == f"--x={tmp_path}/{{rank}}/1"
    assert planned(read).ranks[1].cwd == str(tmp_path / "{rank}" / "work")


def test_a_plan_claims_the_devices_of_all_its_ranks_and_a_block_of_ports() -> None:
    place = {"claims": "/claims", "port_block": 20480}
    launch = planned(recipe(framework="plain", ranks=2), ranks=(1,), **place)
    assert [claim.path for claim in launch.claims] == ["/claims/device-0", "/claims/device-1", "/claims/ports-20480"]
    assert [claim.path for claim in planned(recipe(), **place, **CPU).claims] == ["/claims/ports-20480"]
    assert not planned(recipe()).claims


def test_a_block_of_ports_that_a_fix_has_written_into_the_recipe_is_claimed_like_the_run_s_own() -> None:
    place = {"claims": "/claims", "port_block": 20480}
    moved = recipe(ranks=1, env={"HCCL_IF_BASE_PORT": "20512"})
    ports = ["/claims/ports-20480", "/claims/ports-20512"]
    assert [claim.path for claim in planned(moved, **place).claims if "ports" in claim.path] == ports
    assert [claim.path for claim in planned(moved, **place, **CPU).claims] == ports[:1]
    elsewhere = recipe(ranks=1, env={"HCCL_IF_BASE_PORT": "60000"})
    assert [claim.path for claim in planned(elsewhere, **place).claims if "ports" in claim.path] == ports[:1]
