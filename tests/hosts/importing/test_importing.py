"""A cluster is imported from what others wrote of it, or refused at the line and column of what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.errors import NpuLaunchError, SpecError
from launcher.hosts.importing import Given, Imported, Kind, import_cluster, kind_of
from launcher.hosts.importing.hostfile import read_hostfile
from launcher.planning.placement import place_ranks
from launcher.planning.ranktable.formats import rank_table
from launcher.specs import Cluster, cluster_from_mapping, recipe_from_mapping

A2 = Given(server="atlas-800t-a2")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "source"


def read(file: Path, text: str, given: Given = A2) -> Imported:
    file.write_bytes(text.encode())
    return import_cluster(file, given=given)


def refusal(file: Path, text: str, given: Given = A2) -> SpecError:
    with pytest.raises(SpecError) as caught:
        read(file, text, given)
    return caught.value


def shape(cluster: Cluster) -> list[tuple[str, str, int]]:
    return [(host.name, host.address, len(host.device_list)) for host in cluster.hosts]


HOSTFILES = {
    "openmpi": "node1 slots=8\nnode2 slots=4 max_slots=8\n",
    "mpich": "node1:8\nnode2:4\n",
    "deepspeed, crlf and comments": "# my hosts\r\nnode1 slots=8\r\n\r\n  node2\tslots=4 # half\r\n",
    "no slots": "node1\nnode2 slots=4\n",
    "byte order mark": "\ufeffnode1 slots=8\nnode2 slots=4",
}


@pytest.mark.parametrize("text", HOSTFILES.values(), ids=HOSTFILES.keys())
def test_a_hostfile_of_any_launcher_is_read(file: Path, text: str) -> None:
    imported = read(file, text)
    assert imported.kind is Kind.HOSTFILE
    assert shape(imported.cluster) == [("node1", "node1", 8), ("node2", "node2", 4)]


BAD_HOSTFILES = {
    "word for a number": ("a slots=x", "1:3", "has 'slots=x'"),
    "no slot": ("a slots=0", "1:3", "has 'slots=0'"),
    "too many slots": ("a\nb slots=99999", "2:3", "has 'slots=99999'"),
    "unknown word": ("a slots=8\n  b slot=8", "2:5", "has 'slot=8' after the host"),
    "slots twice": ("a:8 slots=8", "1:5", "a second time"),
    "there again": ("a\nb\n\nA", "4:1", "names A again, which"),
    "no host name": ("a_b slots=8", "1:1", "neither an IP address nor a host name"),
    "escape": ("\x1b[31ma slots=8", "1:1", "names the host '\\x1b[31ma'"),
    "chinese": ("节点 slots=8", "1:1", "neither an IP address nor a host name"),
    "more than the server has": ("a slots=8\nb slots=16", "2:1", "atlas-800t-a2 has 8 devices at most"),
}


@pytest.mark.parametrize(("text", "place", "what"), BAD_HOSTFILES.values(), ids=BAD_HOSTFILES.keys())
def test_a_bad_hostfile_is_refused_at_its_place(file: Path, text: str, place: str, what: str) -> None:
    error = refusal(file, text)
    assert error.where == f"{file}:{place}"
    assert what in error.what


@pytest.mark.parametrize(
    "text", ["node[001-002,007],gpu1\n", "node001,node002,node007,gpu1", "  node[001-002],node007,gpu1"]
)
def test_a_node_list_of_slurm_is_read(file: Path, text: str) -> None:
    imported = read(file, text)
    assert imported.kind is Kind.SLURM
    assert [host.name for host in imported.cluster.hosts] == ["node001", "node002", "node007", "gpu1"]


def test_a_node_list_may_stand_in_place_of_a_file() -> None:
    imported = import_cluster("node[1-3]", given=Given(soc="Ascend910B3", devices=4))
    assert imported.kind is Kind.SLURM
    assert imported.cluster.device_count == 12
    assert len(import_cluster("node1", kind=Kind.SLURM, given=A2).cluster.hosts) == 1


@pytest.mark.parametrize(
    ("text", "what"),
    [("node[9-1]", "runs backwards"), ("node[1-3", "not closed"), ("a,,b", "comma"), ("n[1-1000000000]", "more than")],
)
def test_a_bad_node_list_never_means_this_machine(text: str, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        import_cluster(text, given=A2)
    assert caught.value.where == "node list:1:1"
    assert what in caught.value.what


def test_the_node_list_of_an_allocation_may_be_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_NODELIST", "node7")
    assert shape(import_cluster("node7", given=A2).cluster) == [("node7", "node7", 8)]
    with pytest.raises(SpecError, match="no such file"):
        import_cluster("node8", given=A2)


def test_each_hosts_hccn_conf_gives_its_devices(tmp_path: Path) -> None:
    for host in (1, 2):
        lines = [f"address_{device}=192.168.{device}.{host}\r\nnetmask_{device}=255.255.255.0" for device in (0, 1, 3)]
        (tmp_path / f"h{host}").write_text("\r\n".join(lines))
    imported = import_cluster(f"n1={tmp_path}/h1", f"10.0.0.2={tmp_path}/h2", given=A2)
    assert imported.kind is Kind.HCCN_CONF
    assert shape(imported.cluster) == [("n1", "n1", 3), ("10.0.0.2", "10.0.0.2", 3)]
    assert [device.ip for device in imported.cluster.hosts[1].device_list] == [
        "192.168.0.2",
        "192.168.1.2",
        "192.168.3.2",
    ]


def test_a_stale_line_of_hccn_conf_is_named(tmp_path: Path, file: Path) -> None:
    file.write_text("address_0=192.168.1.1\naddress_1=192.168.1\n")
    with pytest.raises(SpecError) as caught:
        import_cluster(f"n1={file}", given=A2)
    assert caught.value.where == f"{file}:2:1"


def test_one_address_on_two_hosts_is_named(file: Path) -> None:
    file.write_text("address_0=192.168.1.1\n")
    with pytest.raises(SpecError, match=r"is the ip 192\.168\.1\.1 again, which device 0 of host n1 has"):
        import_cluster(f"n1={file}", f"n2={file}", given=A2)


def test_an_hccn_conf_needs_its_host(file: Path) -> None:
    error = refusal(file, "address_0=192.168.1.1\n")
    assert error.expected == "HOST=FILE for each host"
    with pytest.raises(SpecError, match="does not say of which host it is"):
        import_cluster(f"n1={file}", file, given=A2)


def table(**changes: Any) -> str:
    device = {"device_id": "0", "device_ip": "192.168.1.8", "rank_id": "0"}
    server = {"server_id": "10.0.0.10", "device": [device]}
    values = {"status": "completed", "version": "1.0", "server_count": "1", "server_list": [server], **changes}
    return json.dumps(values, indent=1)


def test_a_rank_table_gives_hosts_and_devices(file: Path) -> None:
    imported = read(file, table())
    assert imported.kind is Kind.RANK_TABLE
    assert shape(imported.cluster) == [("10.0.0.10", "10.0.0.10", 1)]
    assert imported.cluster.server == "atlas-800t-a2"


@pytest.mark.parametrize("status", ["initializing", "unknown"])
def test_a_table_that_is_not_completed_is_to_be_waited_for(file: Path, status: str) -> None:
    error = refusal(file, table(status=status))
    assert error.where == f"{file}:2:12"
    assert (error.what, error.expected) == (f"has the status '{status}'", "completed")
    assert "wait until its status is completed" in error.remedy


CLUSTERD = {
    "version": "1.0",
    "status": "completed",
    "server_group_list": [
        {
            "group_id": str(group),
            "deploy_server": "x",
            "server_count": "1",
            "server_list": [
                {
                    "server_id": f"node-{group}",
                    "server_ip": f"10.0.0.{group}",
                    "device": [
                        {
                            "device_id": str(d),
                            "device_ip": f"192.168.{d}.{group}",
                            "device_logical_id": str(d),
                            "rank_id": str(d),
                        }
                        for d in range(8)
                    ],
                }
            ],
        }
        for group in range(2)
    ],
}


def test_the_global_table_of_clusterd_gives_the_hosts_of_all_groups(file: Path) -> None:
    imported = read(file, json.dumps(CLUSTERD))
    assert imported.kind is Kind.CLUSTERD
    assert [(host.address, host.server_id, len(host.device_list)) for host in imported.cluster.hosts] == [
        ("10.0.0.0", "node-0", 8),
        ("10.0.0.1", "node-1", 8),
    ]
    assert "wait until" in refusal(file, json.dumps({**CLUSTERD, "status": "initializing"})).remedy


def test_a_host_with_an_ipv6_address_is_called_what_clusterd_calls_it(file: Path) -> None:
    imported = read(file, json.dumps(CLUSTERD).replace("10.0.0.", "fd00::"))
    assert shape(imported.cluster) == [("node-0", "fd00::0", 8), ("node-1", "fd00::1", 8)]


BAD_TABLES = {
    "truncated": ('{"status": "completed",', "1:24", "is not JSON"),
    "a number as a text": (table().replace('"rank_id": "0"', '"rank_id": 0'), "12:17", "rank_id is 0"),
    "no address": (table().replace("10.0.0.10", "node_0"), "", "does not say how server node_0 is reached"),
    "a list": ("[" + table() + "]", "1:1", "is a list"),
    "servers that are not there": (table(server_count="2"), "4:18", 'server_count is "2", and server_list has 1'),
    "a server without devices": (
        table(server_count="1", server_list=[{"server_id": "10.0.0.10", "device": []}]),
        "8:14",
        "device is empty",
    ),
    "no IP address": (table().replace("192.168.1.8", "192.168.1.999"), "11:19", 'device_ip is "192.168.1.999"'),
    "no server": ('{"status": "completed", "server_group_list": []}', "", "has no server in server_group_list"),
    "no server_ip": (
        '{"status": "completed",\n "server_group_list": [{"server_list": [{"server_id": "a"}]}]}',
        "2:41",
        "no server_ip",
    ),
    "no number": (
        json.dumps(CLUSTERD).replace('"device_id": "0"', '"device_id": "x"', 1),
        "1:202",
        "no device_id that is a number",
    ),
}


@pytest.mark.parametrize(("text", "place", "what"), BAD_TABLES.values(), ids=BAD_TABLES.keys())
def test_a_bad_table_is_refused_at_its_place(file: Path, text: str, place: str, what: str) -> None:
    error = refusal(file, text)
    assert error.where == (f"{file}:{place}" if place else str(file))
    assert what in error.what


@pytest.mark.parametrize("wanted", ["1.0", "1.2", "2.0", "legacy"])
def test_the_table_of_a_cluster_gives_the_cluster(file: Path, wanted: str) -> None:
    soc = {"1.2": "Ascend910_9391", "2.0": "Ascend950PR", "legacy": "Ascend910A"}.get(wanted, "Ascend910B3")
    level = {"net_layer": 0, "net_instance_id": "10.0.0.0", "net_type": "TOPO_FILE_DESC", "addresses": []}
    address = {"type": "EID", "address": "0" * 32, "ports": ["0/0"]}

    def device(host: int, number: int) -> dict[str, Any]:
        own: dict[str, Any] = {"id": number, "ip": f"192.168.{number}.{host}"}
        if wanted == "1.2":
            own["super_device_id"] = f"{host}{number}"
        if wanted == "2.0":
            own = {"id": number, "levels": [{**level, "addresses": [{**address, "address": f"{number:032x}"}]}]}
        return own

    hosts: list[dict[str, Any]] = [
        {"name": f"10.0.0.{host}", "devices": [device(host, number) for number in range(8)]}
        for host in range(1 if wanted == "2.0" else 2)
    ]
    if wanted == "1.2":
        hosts = [{**host, "super_pod": "0"} for host in hosts]
    cluster = cluster_from_mapping({"name": "imported", "soc": soc, "hosts": hosts})
    recipe = recipe_from_mapping(
        {"name": "j", "framework": "pytorch", "ranks": cluster.device_count, "script": "t.py", "relative_to": "/srv"}
    )
    text = rank_table(place_ranks(recipe, cluster), cluster, wanted).to_json()
    assert read(file, text, Given(soc=soc)).cluster == cluster


def test_what_a_source_does_not_say_has_to_be_said(file: Path) -> None:
    assert "which chip" in refusal(file, "a slots=8", Given()).what
    assert "which chip" in refusal(file, table(), Given()).what
    assert "how many devices a has" in refusal(file, "a", Given(soc="Ascend910B3")).what
    assert "did you mean atlas-800t-a2?" in refusal(file, "a", Given(server="atlas-800t-a22")).what


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "\ufeff"])
def test_a_source_that_names_no_host_is_refused(file: Path, text: str) -> None:
    assert refusal(file, text).what in ("is empty", "names no host")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for source, what in (
        ("nothing-here", "no such file"),
        (str(tmp_path), "is a directory"),
        ("n1=/nowhere", "no such"),
    ):
        with pytest.raises(SpecError, match=what):
            import_cluster(source, given=A2)
    with pytest.raises(SpecError, match="nothing to import from"):
        import_cluster(given=A2)
    with pytest.raises(SpecError, match="the name of a source is empty"):
        import_cluster("", given=A2)
    with pytest.raises(SpecError, match="2 sources"):
        import_cluster("a", "b", given=A2)


def test_binary_is_refused(file: Path) -> None:
    assert "NUL" in refusal(file, "a\0b").what
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SpecError, match="holds the byte 0xff, which is not UTF-8"):
        import_cluster(file, given=A2)


@settings(max_examples=150, deadline=None)
@given(st.text(st.sampled_from('ab1.:=#{}[]",\\ \n\r\t-_slots\x1b\ufeff训'), max_size=40))
def test_any_text_is_a_cluster_or_an_error(text: str) -> None:
    assert kind_of(text) in Kind
    try:
        hosts = list(read_hostfile(text, "f"))
    except NpuLaunchError as error:
        assert error.where.startswith("f:")
    else:
        assert all(host.where.startswith("f:") for host in hosts)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_table_is_a_cluster_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = data.draw(st.sampled_from([table(), json.dumps(CLUSTERD)]))
    at = data.draw(st.integers(0, len(text)))
    damaged = (
        text[:at]
        + data.draw(st.sampled_from(["", '"', "}", "[", "null", "\n", "0"]))
        + text[at + data.draw(st.integers(0, 9)) :]
    )
    file = tmp_path_factory.mktemp("table") / "t.json"
    try:
        read(file, damaged)
    except NpuLaunchError as error:
        assert str(file) in error.where or "imported" in error.where
