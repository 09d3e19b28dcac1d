"""What ranks of each framework are told, and what a recipe cannot tell them otherwise."""

from __future__ import annotations

import json

import pytest
from small_jobs import TWO, host, planned, recipe, refusal

from launcher.planning.environment import CATALOGUE, CONTRACTS, UNSET
from launcher.planning.environment.identity import OWNED
from launcher.specs import Host

CPU = {"soc": "CPU"}


def given(env: object, *prefixes: str) -> dict[str, str]:
    assert hasattr(env, "items")
    return {name: value for name, value in env.items() if name.startswith(prefixes)}


# -- addresses that were seen on the hosts -----------------------------------------------------------------------------

SEEN = (("a", "10.0.0.1", "eth0"), ("b", "10.0.0.2", "bond0"))


def test_hccl_gets_the_address_of_each_host_where_ranks_find_each_other_by_root_info() -> None:
    for framework in ("mindspore", "pytorch"):
        ranks = planned(recipe(framework, 4), *TWO, addresses=SEEN).ranks
        assert [rank.env["HCCL_IF_IP"] for rank in ranks] == ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2"]
    by_table = recipe("mindspore", 4, rendezvous="rank_table")
    for job in (by_table, recipe("plain", 4), recipe("tensorflow", 4)):
        assert "HCCL_IF_IP" not in planned(job, *TWO, addresses=SEEN).ranks[0].env


def test_an_address_that_a_host_was_not_seen_to_have_is_given_to_nobody() -> None:
    behind_nat = (SEEN[0], ("b", "10.0.0.2", None))
    for addresses in (behind_nat, SEEN[:1], ()):
        env = planned(recipe("pytorch", 4), *TWO, addresses=addresses).ranks[0].env
        assert not {"HCCL_IF_IP", "GLOO_SOCKET_IFNAME"} & env.keys()
    env = planned(recipe("pytorch", 2), *TWO, addresses=SEEN).ranks[0].env  # on one host, whose ranks meet on loopback
    assert not {"HCCL_IF_IP", "GLOO_SOCKET_IFNAME"} & env.keys()


def test_a_recipe_that_chooses_its_interfaces_is_left_to_its_choice() -> None:
    for name, value in (("HCCL_SOCKET_IFNAME", "eth1"), ("HCCL_SOCKET_FAMILY", "AF_INET6")):
        assert "HCCL_IF_IP" not in planned(recipe("pytorch", 4, env={name: value}), *TWO, addresses=SEEN).ranks[0].env
    own = planned(recipe("pytorch", 4, env={"GLOO_SOCKET_IFNAME": "ib0"}), *TWO, addresses=SEEN)
    assert {rank.env["GLOO_SOCKET_IFNAME"] for rank in own.ranks} == {"ib0"}


def test_gloo_gets_the_interface_of_each_host() -> None:
    ranks = planned(recipe("pytorch", 4), *TWO, **CPU, addresses=SEEN).ranks
    assert [rank.env["GLOO_SOCKET_IFNAME"] for rank in ranks] == ["eth0", "eth0", "bond0", "bond0"]
    assert "HCCL_IF_IP" not in ranks[0].env


def test_workers_of_mindspore_are_told_the_address_that_their_host_has() -> None:
    ranks = planned(recipe("mindspore", 4), *TWO, **CPU, addresses=SEEN).ranks
    assert [rank.env["MS_WORKER_IP"] for rank in ranks] == ["10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.2"]
    assert "MS_WORKER_IP" not in planned(recipe("mindspore", 4), *TWO, **CPU).ranks[0].env


def test_a_host_that_is_called_by_name_is_met_at_the_ip_that_is_known_of_it() -> None:
    hosts = (host("a", "node-a.lab", 0, 1), host("b", "node-b.lab", 0, 1))
    assert "MindSpore's scheduler needs an IP" in refusal(recipe("mindspore", 4), *hosts, **CPU).what
    launch = planned(recipe("mindspore", 4), *hosts, **CPU, addresses=SEEN)
    assert launch.services[0].env["MS_SCHED_HOST"] == launch.ranks[3].env["MS_SCHED_HOST"] == "10.0.0.1"


# -- MindSpore ---------------------------------------------------------------------------------------------------------


def test_the_scheduler_is_on_the_host_of_rank_0() -> None:
    launch = planned(recipe("mindspore", 4), host("b", "10.0.0.9", 0, 1), host("a", "10.0.0.10", 0, 1))
    assert launch.ranks[0].host == launch.services[0].host == "a"
    assert launch.services[0].env["MS_SCHED_HOST"] == launch.ranks[3].env["MS_SCHED_HOST"] == "10.0.0.10"


def test_mindspore_with_a_rank_table_has_no_scheduler() -> None:
    launch = planned(recipe("mindspore", 4, rendezvous="rank_table"), *TWO)
    env = launch.ranks[3].env
    assert launch.services == ()
    assert given(env, "MS_") == {}
    assert (env["RANK_ID"], env["RANK_SIZE"], env["DEVICE_ID"]) == ("3", "4", "1")
    assert env["RANK_TABLE_FILE"] == launch.rank_table_path == "/runs/job-1/attempts/1/hccl.json"


def test_mindspore_on_devices_that_begin_elsewhere_is_told_their_ids() -> None:
    for rendezvous in ("dynamic_cluster", "rank_table"):
        launch = planned(recipe("mindspore", 2, rendezvous=rendezvous), host("a", "10.0.0.1", 4, 5))
        assert [rank.env["DEVICE_ID"] for rank in launch.ranks] == ["4", "5"]
        assert "ASCEND_RT_VISIBLE_DEVICES" not in launch.ranks[0].env


def test_a_rank_table_needs_devices() -> None:
    error = refusal(recipe("mindspore", rendezvous="rank_table"), **CPU)
    assert error.what == "rendezvous is rank_table, which mindspore ranks on CPU do not know"
    assert error.expected == "one of auto, dynamic_cluster"


def test_a_role_in_the_cluster_contradicts_a_rank_table() -> None:
    error = refusal(recipe("mindspore", rendezvous="rank_table", env={"MS_ROLE": "MS_SCHED"}))
    assert error.what.startswith("env.MS_ROLE contradicts how mindspore ranks meet here")
    assert "rendezvous: rank_table" in error.what


def test_the_parameter_server_mode_is_not_started() -> None:
    assert "starts no parameter servers" in refusal(recipe("mindspore", env={"MS_SERVER_NUM": 1})).expected
    assert planned(recipe("mindspore", env={"MS_SERVER_NUM": 0})).ranks[0].env["MS_SERVER_NUM"] == "0"
    assert "MS_SERVER_NUM" in UNSET


def test_mindspore_on_cpu_has_no_ipv6() -> None:
    hosts = (host("a", "fd00::1", 0), host("b", "fd00::2", 0))
    assert "MindSpore's scheduler needs an IP" in refusal(recipe("mindspore"), *hosts, **CPU).what
    assert planned(recipe("mindspore"), *hosts).ranks[1].env["MS_WORKER_IP"] == "fd00::2"


def test_a_worker_that_has_to_know_its_address_has_an_ip() -> None:
    error = refusal(recipe("mindspore"), host("a", "fd00::1", 0), host("b", "node-b", 0))
    assert error.what.startswith("host b has the address node-b")


# -- PyTorch -----------------------------------------------------------------------------------------------------------

# What torchrun sets for every worker (PyTorch docs, elastic/run, "Environment Variables").
TORCHRUN = (
    *("LOCAL_RANK", "RANK", "GROUP_RANK", "ROLE_RANK", "LOCAL_WORLD_SIZE", "WORLD_SIZE", "ROLE_WORLD_SIZE"),
    *("GROUP_WORLD_SIZE", "ROLE_NAME", "MASTER_ADDR", "MASTER_PORT"),
    *("TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_MAX_RESTARTS", "TORCHELASTIC_RUN_ID"),
)


def test_a_script_finds_all_that_torchrun_promises() -> None:
    launch = planned(recipe("pytorch", 4, restart={"policy": "group", "max_restarts": 3}), *TWO, attempt=2)
    values = {
        "RANK": "3",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "4",
        "LOCAL_WORLD_SIZE": "2",
        "GROUP_RANK": "1",
        "GROUP_WORLD_SIZE": "2",
        "ROLE_NAME": "default",
        "ROLE_RANK": "3",
        "ROLE_WORLD_SIZE": "4",
        "MASTER_ADDR": "10.0.0.1",
        "MASTER_PORT": "8118",
        "TORCHELASTIC_RESTART_COUNT": "1",
        "TORCHELASTIC_MAX_RESTARTS": "3",
        "TORCHELASTIC_RUN_ID": "job-1",
    }
    assert set(values) == set(TORCHRUN)
    assert {name: launch.ranks[3].env[name] for name in values} == values


def test_rank_0_holds_the_store_and_no_agent_does() -> None:
    assert "TORCHELASTIC_USE_AGENT_STORE" in planned(recipe("pytorch")).unset
    assert "rank 0 holds the store" in refusal(recipe("pytorch", env={"TORCHELASTIC_USE_AGENT_STORE": "True"})).what


def test_gloo_on_cpu_gets_the_same_names_and_no_table() -> None:
    env = planned(recipe("pytorch", 2), host("a", "10.0.0.1", 2, 3), **CPU).ranks[1].env
    assert set(TORCHRUN) < set(env)
    assert "RANK_TABLE_FILE" not in env
    assert "ASCEND_RT_VISIBLE_DEVICES" not in env


@pytest.mark.parametrize("ids", [(2, 3), (4, 5, 6, 7)])
def test_pytorch_selects_its_device_by_local_rank_and_the_table_has_the_physical_one(ids: tuple[int, ...]) -> None:
    launch = planned(recipe("pytorch", len(ids)), host("a", "10.0.0.1", *ids))
    assert launch.rank_table is not None
    table = json.loads(launch.rank_table.to_json())
    assert [entry["device_id"] for entry in table["server_list"][0]["device"]] == [str(id) for id in ids]
    for rank in launch.ranks:
        assert rank.env["ASCEND_RT_VISIBLE_DEVICES"] == ",".join(map(str, ids))
        assert rank.env["ASCEND_DEVICE_ID"] == rank.env["DEVICE_ID"] == rank.env["LOCAL_RANK"] == str(rank.local_rank)
        assert rank.device == ids[rank.local_rank]


def test_a_container_that_has_just_the_devices_of_the_job_numbers_them_from_0() -> None:
    there = {"devices_there": (("a", (4, 5, 6, 7)),)}
    for framework in ("pytorch", "mindspore", "tensorflow"):
        launch = planned(recipe(framework, 4), host("a", "10.0.0.1", 4, 5, 6, 7), **there)
        assert [rank.env["DEVICE_ID"] for rank in launch.ranks] == ["0", "1", "2", "3"]
        assert [rank.device for rank in launch.ranks] == [4, 5, 6, 7]
        assert "ASCEND_RT_VISIBLE_DEVICES" not in launch.ranks[0].env


def test_a_container_that_has_more_devices_shows_those_of_the_job_by_its_own_numbers() -> None:
    launch = planned(recipe("pytorch", 2), host("a", "10.0.0.1", 6, 7), devices_there=(("a", (4, 5, 6, 7)),))
    assert [rank.env["ASCEND_RT_VISIBLE_DEVICES"] for rank in launch.ranks] == ["2,3", "2,3"]
    assert [rank.env["ASCEND_DEVICE_ID"] for rank in launch.ranks] == ["0", "1"]
    mindspore = planned(recipe("mindspore", 2), host("a", "10.0.0.1", 6, 7), devices_there=(("a", (4, 5, 6, 7)),))
    assert [rank.env["DEVICE_ID"] for rank in mindspore.ranks] == ["2", "3"]


def test_where_one_host_needs_the_list_all_hosts_get_it() -> None:
    launch = planned(recipe("pytorch", 4), host("a", "10.0.0.1", 0, 1), host("b", "10.0.0.2", 2, 3))
    assert [rank.env["ASCEND_RT_VISIBLE_DEVICES"] for rank in launch.ranks] == ["0,1", "0,1", "2,3", "2,3"]


def test_pytorch_has_one_way_to_meet() -> None:
    error = refusal(recipe("pytorch", rendezvous="cm"))
    assert error.what == "rendezvous is cm, which pytorch ranks on Ascend910B3 do not know"
    assert error.expected == "rendezvous: auto"


# -- TensorFlow --------------------------------------------------------------------------------------------------------


def test_tensorflow_with_a_rank_table_has_none_of_the_other_form() -> None:
    for rendezvous in ("auto", "rank_table"):
        env = planned(recipe("tensorflow", 4, rendezvous=rendezvous), *TWO).ranks[3].env
        assert (env["RANK_ID"], env["RANK_SIZE"], env["JOB_ID"], env["DEVICE_INDEX"]) == ("3", "4", "job-1", "3")
        assert env["ASCEND_DEVICE_ID"] == "1"
        assert given(env, "CM_", "TF_CONFIG") == {}


def test_tensorflow_without_a_rank_table_has_none_of_it() -> None:
    launch = planned(recipe("tensorflow", 4, rendezvous="cm"), *TWO, soc="Ascend910A")
    env = launch.ranks[3].env
    assert launch.rank_table is None
    assert launch.rank_table_path is None
    assert {"RANK_TABLE_FILE", "RANK_ID", "RANK_SIZE"}.isdisjoint(env)
    assert given(env, "CM_") == {
        "CM_CHIEF_IP": "10.0.0.1",
        "CM_CHIEF_PORT": "8118",
        "CM_CHIEF_DEVICE": "0",
        "CM_WORKER_SIZE": "4",
        "CM_WORKER_IP": "10.0.0.2",
    }
    assert env["ASCEND_DEVICE_ID"] == "1"


def test_the_chief_is_named_by_its_device() -> None:
    launch = planned(recipe("tensorflow", 2, rendezvous="cm"), host("a", "10.0.0.1", 2, 3))
    assert {rank.env["CM_CHIEF_DEVICE"] for rank in launch.ranks} == {"2"}
    assert {rank.env["CM_CHIEF_IP"] for rank in launch.ranks} == {rank.env["CM_WORKER_IP"] for rank in launch.ranks}


def test_the_form_without_a_table_is_for_the_first_two_generations() -> None:
    error = refusal(recipe("tensorflow", rendezvous="cm"), soc="Ascend910_9391")
    assert error.what == "rendezvous is cm, which there is not on Ascend910_9391"
    assert error.expected.startswith("Ascend910 or Ascend910B")


def test_a_chief_has_an_ip() -> None:
    error = refusal(recipe("tensorflow", rendezvous="cm"), host("a", "node-a", 0), host("b", "node-b", 0))
    assert "node-a" in error.what


@pytest.mark.parametrize("name", ["CM_CHIEF_IP", "TF_CONFIG"])
def test_the_forms_of_tensorflow_do_not_mix(name: str) -> None:
    assert f"env.{name} contradicts" in refusal(recipe("tensorflow", env={name: "x"})).what


def test_tensorflow_on_cpu_meets_by_its_own_config() -> None:
    env = planned(recipe("tensorflow", 3), *TWO, **CPU).ranks[2].env
    assert json.loads(env["TF_CONFIG"]) == {
        "cluster": {"worker": ["10.0.0.1:8118", "10.0.0.1:8119", "10.0.0.2:8118"]},
        "task": {"type": "worker", "index": 2},
    }
    assert "TF_CONFIG" not in planned(recipe("tensorflow", 1), **CPU).ranks[0].env


def test_tensorflows_workers_on_cpu_have_ports_that_there_are() -> None:
    error = refusal(recipe("tensorflow", 2), scheduler_port=65535, **CPU)
    assert error.what == "ranks of a host would listen on ports up to 65536"
    assert planned(recipe("tensorflow", 1), scheduler_port=65535, **CPU)


def test_tensorflows_config_on_cpu_is_no_longer_than_a_variable_may_be() -> None:
    slots = Host(name="a", address="10.0.0.1", devices=1024)
    more = Host(name="b", address="10.0.0.2", devices=1)
    config = planned(recipe("tensorflow", 1024), slots, **CPU).ranks[0].env["TF_CONFIG"]
    assert len(config) < 128 * 1024  # MAX_ARG_STRLEN, execve(2)
    assert "1025 TensorFlow ranks on CPU" in refusal(recipe("tensorflow", 1025), slots, more, **CPU).what


# -- all ---------------------------------------------------------------------------------------------------------------


def test_every_variable_of_a_contract_says_what_it_means_and_who_says_so() -> None:
    for variable in CATALOGUE.values():
        assert variable.meaning.endswith("."), variable.name
        assert variable.source, variable.name


def test_a_contract_gives_no_variable_that_it_does_not_list() -> None:
    jobs = [
        (framework, rendezvous, soc)
        for framework in ("mindspore", "pytorch", "tensorflow", "plain")
        for rendezvous in ("auto", "rank_table", "cm", "dynamic_cluster")
        for soc in ("CPU", "Ascend910B3")
    ]
    known = {variable.name for contract in CONTRACTS for variable in contract.variables}
    known |= {variable.name for variable in OWNED}
    seen = 0
    for framework, rendezvous, soc in jobs:
        try:
            launch = planned(recipe(framework, 4, rendezvous=rendezvous), *TWO, soc=soc)
        except Exception as error:
            assert "do not know" in str(error)
            continue
        seen += 1
        assert set(launch.layers[-1].names) <= known
    assert seen == 13


def test_what_any_contract_sets_or_excludes_leaks_from_no_shell() -> None:
    for contract in CONTRACTS:
        assert {variable.name for variable in contract.variables} | set(contract.excludes) <= set(UNSET)


def test_a_refusal_says_what_the_variable_is() -> None:
    error = refusal(recipe("pytorch", env={"LOCAL_RANK": "0"}))
    assert error.what == "env.LOCAL_RANK: npu-launch itself sets this for every rank"
    assert "LOCAL_RANK: The rank within its host" in error.expected
