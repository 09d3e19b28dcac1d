"""A table of anybody's is read whole, and what cannot be read is said."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.errors import SpecError
from launcher.planning.ranktable.check import check_table
from launcher.planning.ranktable.cluster import cluster_of
from launcher.planning.ranktable.reading import ranks_of, read_table
from launcher.specs import AddressType

from .tables import Values, at, lab, legacy, text, v1_0, v1_2, v2_0

ALL = [v1_0(), v1_2(), v2_0(), legacy(), lab()]


@pytest.mark.parametrize("values", ALL, ids=["1.0", "1.2", "2.0", "legacy", "legacy-lab"])
def test_a_key_that_nobody_knows_is_kept(values: Values) -> None:
    values = {**values, "operator": {"name": "x", "numbers": [1, 2]}}
    table = read_table(text(values), "hccl.json")
    assert json.loads(table.to_json()) == values


def test_the_keys_of_all_writers_are_known() -> None:
    values = v1_2()
    values["server_list"][0] |= {"container_ip": "10.1.0.1", "hardware_type": "800I-A2-32G", "pod_ip": "10.1.0.2"}
    values["server_list"][0] |= {"server_ip": "10.0.0.3"}
    values["server_list"][0]["device"][0] |= {"dpu_ip": "10.3.0.1", "numa_id": "0", "device_vnic_port": "16668"}
    values["server_list"][0]["device"][0] |= {"net_position": "device", "net_protocol": "rdma"}
    values["cluster_list"] = [
        {
            "cluster_id": "0",
            "network_type": "ROCE",
            "az_id": "0",
            "region_id": "0",
            "server_list": [{"server_id": "node_0"}],
        }
    ]
    levels = v2_0()
    levels |= {"detour": "false"}
    plane = {"addr_type": "IPV4", "addr": "10.0.0.1", "listen_port": 8000}
    levels["rank_list"][0] |= {"host_port": 16670, "control_plane": plane}
    levels["rank_list"][1] |= {"local_id": 64, "replaced_local_id": 0}
    first = at(levels, "rank_list[0].level_list[0].rank_addr_list[0]")
    first["backup_addr"] = ["172.16.0.99"]
    for table in (values, levels):
        assert [each.seen for each in check_table(text(table)) if each.rule == "unknown-key"] == []
        assert json.loads(read_table(text(table), "hccl.json").to_json()) == table


def test_a_byte_order_mark_is_read_past() -> None:
    assert read_table(("\ufeff" + text(v1_0())).encode(), "hccl.json") == read_table(text(v1_0()), "hccl.json")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["hccl.json:1:1", "the file is empty"]),
        (b"\xff\xfe\x00", ["hccl.json", "not UTF-8"]),
        (text({**v1_0(), "status": "initializing"}), ["hccl.json:2:13", 'status is "initializing"']),
        (text({**v1_0(), "version": "9"}), ["hccl.json:3:14", 'version is "9"', '"1.2"']),
        (text({"status": "completed"}), ["neither version nor group_list"]),
        (text(v1_0()).replace('"rank_id": "3"', '"rank_id": 3'), ["device[3].rank_id", "put it in quotes"]),
    ],
)
def test_what_cannot_be_read_is_said_with_its_place(content: str | bytes, words: list[str]) -> None:
    with pytest.raises(SpecError) as raised:
        read_table(content, "hccl.json")
    for word in words:
        assert word in str(raised.value)


def test_all_that_cannot_be_read_is_said_at_once() -> None:
    values = v1_0()
    for server in values["server_list"]:
        for device in server["device"]:
            device["rank_id"] = int(device["rank_id"])
    with pytest.raises(SpecError) as raised:
        read_table(text(values), "hccl.json")
    assert "16 problems" in str(raised.value)
    assert "and 6 more" in str(raised.value)


def test_a_table_that_is_only_wrong_is_read() -> None:
    """To be told what is wrong with a table of a cluster, one must be able to look at it."""
    values = v1_0()
    at(values, "server_list[0].device[3]")["rank_id"] = "99"
    assert ranks_of(read_table(text(values), "hccl.json"))[-1].rank == 99


def test_the_ranks_of_the_legacy_form_are_those_that_hccl_gives() -> None:
    values = legacy(2, 2)
    group = values["group_list"][0]
    group["instance_list"][0]["server_id"] = "10.0.0.9"  # behind 10.0.0.11 as a text
    group["instance_list"][0]["devices"].reverse()
    ranks = ranks_of(read_table(text(values), "hccl.json"))
    assert [(entry.rank, entry.server, entry.device) for entry in ranks] == [
        (0, "10.0.0.11", 0),
        (1, "10.0.0.11", 1),
        (2, "10.0.0.9", 0),
        (3, "10.0.0.9", 1),
    ]


def test_a_cluster_is_read_from_a_table() -> None:
    cluster = cluster_of(read_table(text(v1_2()), "hccl.json"), name="mine", soc="Ascend910_9391")
    assert [(host.name, host.address, host.server_id, host.super_pod) for host in cluster.hosts] == [
        ("node_0", "172.16.0.100", "node_0", "0"),
        ("node_1", "172.16.0.101", "node_1", "0"),
        ("node_2", "172.16.0.102", "node_2", "1"),
        ("node_3", "172.16.0.103", "node_3", "1"),
    ]
    assert cluster.hosts[1].device_list[2].super_device_id == "6"


def test_a_cluster_of_version_2_has_a_host_a_network_of_layer_0() -> None:
    table = read_table(text(v2_0()), "hccl.json")
    with pytest.raises(SpecError, match="az0-rack0-pod0 is reached"):
        cluster_of(table, soc="Ascend950PR")
    addresses = {"az0-rack0-pod0": "10.0.0.10", "az0-rack0-pod1": "10.0.0.11"}
    cluster = cluster_of(table, soc="Ascend950PR", addresses=addresses)
    assert [host.address for host in cluster.hosts] == ["10.0.0.10", "10.0.0.11"]
    assert [level.net_layer for level in cluster.hosts[0].device_list[0].levels] == [0, 1]
    assert cluster.hosts[1].device_list[1].levels[1].addresses[1].type is AddressType.EID


def test_two_servers_of_one_network_are_told_by_their_devices() -> None:
    values = v2_0(3)
    for rank in values["rank_list"]:
        rank["level_list"][0]["net_instance_id"] = "pod"
    assert check_table(text(values)) == ()
    servers = [entry.server for entry in ranks_of(read_table(text(values), "hccl.json"))]
    assert servers == ["pod", "pod", "pod#2", "pod#2", "pod#3", "pod#3"]


def test_a_table_that_does_not_say_its_chip_needs_to_be_told() -> None:
    with pytest.raises(SpecError, match="does not say which chip"):
        cluster_of(read_table(text(v1_0()), "hccl.json"))
    assert cluster_of(read_table(text(lab()), "hccl.json")).soc == "Ascend910A"


def test_a_table_of_no_sound_cluster_is_refused_with_the_reason() -> None:
    values = v1_0()
    at(values, "server_list[1].device[0]")["device_ip"] = "192.168.1.8"
    with pytest.raises(SpecError, match=r"no sound cluster: .*192\.168\.1\.8"):
        cluster_of(read_table(text(values), "hccl.json"), soc="Ascend910B3")


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**20)
    | st.floats(allow_nan=False)
    | st.text(max_size=8)
    | st.just("\ud800"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rank_id", "device", "device_id", "server_id", "level_list"]), inner)
    ),
    max_leaves=8,
)


def paths(value: object, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for step, member in members for path in paths(member, (*here, step)))]


@given(st.sampled_from(ALL), st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_stands_anywhere_is_told_and_never_a_traceback(values: Values, data: st.DataObject) -> None:
    values = json.loads(json.dumps(values))
    path = data.draw(st.sampled_from(paths(values)[1:]))
    above: object = values
    for step in path[:-1]:
        above = above[step]  # type: ignore[index]
    above[path[-1]] = data.draw(json_values)  # type: ignore[index]
    content = text(values)
    for violation in check_table(content, soc=data.draw(st.sampled_from([None, "Ascend910A", "Ascend910B3"]))):
        assert violation.seen
    with suppress(SpecError):
        cluster_of(read_table(content, "hccl.json"), soc="Ascend910B3")


@given(st.sampled_from(ALL), st.data())
@settings(max_examples=60, deadline=None)
def test_a_torn_text_is_told_and_never_a_traceback(values: Values, data: st.DataObject) -> None:
    content = bytearray(text(values).encode())
    cut = data.draw(st.integers(0, len(content)))
    junk = data.draw(st.binary(max_size=4))
    torn = bytes(content[:cut]) + junk + bytes(content[cut + data.draw(st.integers(0, 40)) :])
    check_table(torn)
    try:
        read_table(torn, "hccl.json")
    except SpecError as error:
        assert "hccl.json" in str(error)
