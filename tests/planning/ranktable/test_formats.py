"""Each chip gets the rank table that it reads, byte for byte the same for the same cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.errors import PlanError
from launcher.planning.placement import Seat
from launcher.planning.ranktable.check import check_table
from launcher.planning.ranktable.cluster import cluster_of
from launcher.planning.ranktable.formats import TableFormat, choose_format, format_of, rank_table
from launcher.planning.ranktable.reading import ranks_of, read_table
from launcher.specs import Cluster, Device, Host

from .clusters import all_seats, clusters
from .golden.regenerate import TABLES, golden_table

GOLDEN = Path(__file__).parent / "golden"
FORMATS = ("1.0", "1.2", "2.0", "legacy", "legacy-lab")
promise = settings(max_examples=30, deadline=None)


@pytest.mark.parametrize(("name", "cluster", "wanted"), TABLES, ids=[name for name, _, _ in TABLES])
def test_a_table_is_what_it_was(name: str, cluster: str, wanted: str) -> None:
    assert golden_table(cluster, wanted) == (GOLDEN / name).read_text()


@pytest.mark.parametrize("name", [name for name, _, _ in TABLES])
def test_a_golden_table_passes_its_check(name: str) -> None:
    assert [each for each in check_table((GOLDEN / name).read_bytes()) if each.is_refused] == []


def any_cluster() -> st.SearchStrategy[tuple[str, Cluster]]:
    return st.sampled_from(FORMATS).flatmap(lambda format: st.tuples(st.just(format), clusters(format)))


@given(any_cluster())
@promise
def test_a_cluster_comes_back_from_its_table(made: tuple[str, Cluster]) -> None:
    format, cluster = made
    seats = all_seats(cluster)
    text = rank_table(seats, cluster, format).to_json()
    table = read_table(text, "hccl.json")
    networks = {f"pod-{host.name.removeprefix('host-')}": host.address for host in cluster.hosts}
    back = cluster_of(table, soc=cluster.soc, addresses=networks if format == "2.0" else None)
    assert [(host.machine, host.super_pod, host.device_list) for host in back.hosts] == [
        (host.machine, host.super_pod, carried(format, host)) for host in cluster.hosts
    ]
    assert rank_table(all_seats(back), back, format).to_json() == text


def carried(format: str, host: Host) -> tuple[Device, ...]:
    """What a format tells of the devices: the legacy forms have no ports."""
    if not format.startswith("legacy"):
        return host.device_list
    return tuple(device.model_copy(update={"port": None}) for device in host.device_list)


@given(any_cluster())
@promise
def test_a_written_table_has_only_faults_of_the_chosen_devices(made: tuple[str, Cluster]) -> None:
    format, cluster = made
    text = rank_table(all_seats(cluster), cluster, format).to_json()
    refused = {each.rule for each in check_table(text, soc=cluster.soc) if each.is_refused}
    assert refused <= {"topology", "devices-per-server"}
    assert read_table(text, "hccl.json") == rank_table(all_seats(cluster), cluster, format)


@given(any_cluster())
@promise
def test_a_table_says_where_each_rank_sits(made: tuple[str, Cluster]) -> None:
    format, cluster = made
    seats = all_seats(cluster)
    table = rank_table(seats, cluster, format)
    assert [entry.rank for entry in ranks_of(table)] == list(range(len(seats)))
    assert [entry.device for entry in ranks_of(table)] == [seat.device.id for seat in seats]
    if format != "2.0":
        assert [entry.server for entry in ranks_of(table)] == [seat.host.machine for seat in seats]
        assert [entry.ips for entry in ranks_of(table)] == [(seat.device.ip,) * bool(seat.device.ip) for seat in seats]


def one(soc: str, **device: object) -> Cluster:
    host = {"name": "a", "address": "10.0.0.1", "devices": [{"id": 0, **device}]}
    if "super_device_id" in device:
        host["super_pod"] = "0"
    return Cluster.model_validate({"name": "one", "soc": soc, "hosts": [host]})


@pytest.mark.parametrize(
    ("cluster", "format", "reason"),
    [
        (one("Ascend910A"), "1.0", "Ascend910A is read from rank table 1.0"),
        (one("Ascend910B"), "1.0", "Ascend910B is read from rank table 1.0"),
        (one("Ascend910B3"), "1.0", "Ascend910B3 is read from rank table 1.0"),
        (one("Ascend910_9391"), "1.0", "Ascend910_9391 in AI server mode: the cluster names no super pods"),
        (one("Ascend910_9391", super_device_id="7"), "1.2", "Ascend910_9391 in super pods, which the cluster names"),
        (one("Ascend950PR"), "2.0", "Ascend950PR is read from rank table 2.0 only"),
    ],
)
def test_auto_is_what_the_chip_needs_and_says_why(cluster: Cluster, format: str, reason: str) -> None:
    choice = choose_format(all_seats(cluster), cluster)
    assert (choice.format, choice.reason) == (TableFormat(format), reason)


@pytest.mark.parametrize(
    ("cluster", "wanted", "words"),
    [
        (one("Ascend910B3"), "2.0", ["does not fit Ascend910B3", "it is for Ascend 950", "1.0"]),
        (one("Ascend950PR"), "1.0", ["does not fit Ascend950PR", "2.0 only"]),
        (one("Ascend910B3"), "legacy", ["does not fit Ascend910B3", "first Ascend 910"]),
        (one("Ascend910B3"), "1.2", ["does not fit Ascend910B3", "super pods of Ascend 910_93"]),
        (one("Ascend910_9391"), "1.2", ["host a has no super_pod", "npu-smi info -t spod-info"]),
        (one("Ascend950PR"), "auto", ["device 0 of host a has no levels"]),
        (one("CPU"), "auto", ["no rank table is known for CPU"]),
    ],
)
def test_a_format_that_does_not_fit_says_why(cluster: Cluster, wanted: str, words: list[str]) -> None:
    with pytest.raises(PlanError) as raised:
        rank_table(all_seats(cluster), cluster, wanted)
    for word in words:
        assert word in str(raised.value)


def test_a_chip_newer_than_this_list_gets_the_table_that_is_asked_for() -> None:
    cluster = one("Ascend970X")
    with pytest.raises(PlanError, match=r"1\.0, 1\.2 or 2\.0"):
        rank_table(all_seats(cluster), cluster)
    assert format_of(rank_table(all_seats(cluster), cluster, "1.0")) is TableFormat.V1_0


def test_half_a_super_pod_is_no_silent_ai_server_mode() -> None:
    hosts = [
        {"name": "a", "address": "10.0.0.1", "super_pod": "0", "devices": [{"id": 0, "super_device_id": "1"}]},
        {"name": "b", "address": "10.0.0.2", "super_pod": "0", "devices": [{"id": 0, "ip": "192.168.0.1"}]},
    ]
    cluster = Cluster.model_validate({"name": "half", "soc": "Ascend910_9391", "hosts": hosts})
    seats = [Seat(rank, 0, host, rank, host.device_list[0], (0,)) for rank, host in enumerate(cluster.hosts)]
    with pytest.raises(PlanError, match="host b has no super_device_id on device 0"):
        rank_table(seats, cluster)


def test_a_host_ip_is_left_out_where_hccl_would_take_it_for_its_only_network() -> None:
    assert '"host_ip"' in (text := rank_table(all_seats(c := one("Ascend910_9391", ip="192.168.0.1")), c).to_json())
    assert json.loads(text)["server_list"][0]["host_ip"] == "10.0.0.1"
    assert '"host_ip"' not in rank_table(all_seats(c := one("Ascend910_9391")), c).to_json()


def test_containers_of_one_server_are_one_server_of_the_table() -> None:
    hosts = [
        {"name": f"c{n}", "address": f"10.0.0.{n}", "server_id": "node", "devices": [{"id": n, "ip": f"192.168.0.{n}"}]}
        for n in (1, 2)
    ]
    cluster = Cluster.model_validate({"name": "containers", "soc": "Ascend910B3", "hosts": hosts})
    table = json.loads(rank_table(all_seats(cluster), cluster).to_json())
    assert table["server_count"] == "1"
    assert [device["device_id"] for device in table["server_list"][0]["device"]] == ["1", "2"]


def test_the_legacy_form_is_refused_where_hccl_would_number_the_ranks_otherwise() -> None:
    hosts = [
        {"name": f"h{n}", "address": f"10.0.0.{n}", "devices": [{"id": 0, "ip": f"192.168.0.{n}"}]} for n in (9, 10)
    ]
    cluster = Cluster.model_validate({"name": "disorder", "soc": "Ascend910A", "hosts": hosts})
    with pytest.raises(PlanError, match=r"order 10\.0\.0\.10, 10\.0\.0\.9"):
        rank_table(all_seats(cluster), cluster, "legacy")
