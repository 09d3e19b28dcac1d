"""Everything that HCCL refuses in a rank table is told: where it stands, what HCCL would say, and what to do."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from launcher.planning.ranktable import rules
from launcher.planning.ranktable.check import check_table
from launcher.planning.ranktable.violation import Violation
from launcher.planning.topology import Severity

from .tables import Values, at, lab, legacy, text, v1_0, v1_2, v2_0

Spoil = Callable[[Values], Any]


def put(path: str, value: Any) -> Spoil:
    """Set the value at a path."""

    def spoil(values: Values) -> None:
        above, _, key = path.rpartition(".")
        (at(values, above) if above else values)[key] = value

    return spoil


def drop(path: str) -> Spoil:
    """Remove the key at a path."""

    def spoil(values: Values) -> None:
        above, _, key = path.rpartition(".")
        del (at(values, above) if above else values)[key]

    return spoil


def both(*spoils: Spoil) -> Spoil:
    return lambda values: [spoil(values) for spoil in spoils]


def without(key: str) -> Spoil:
    """Remove a key of every device."""
    return lambda values: [device.pop(key) for server in values["server_list"] for device in server["device"]]


def swap_ranks(one: str, other: str) -> Spoil:
    def spoil(values: Values) -> None:
        first, second = at(values, one), at(values, other)
        first["rank_id"], second["rank_id"] = second["rank_id"], first["rank_id"]

    return spoil


P = "server_list[0].device[0]"  # rank 0
D = "server_list[0].device[3]"  # rank 3
E = "server_list[1].device[2]"  # rank 10
R = "rank_list[1]"
L = "rank_list[1].level_list[1]"
A = "rank_list[1].level_list[0].rank_addr_list[0]"
G = "group_list[0]"
S = "server_list[1].server_id"
POD = "super_pod_list[1].super_pod_id"

EID = f"{L}.rank_addr_list[1]"
PARA = "HCCL_E_PARA"
NEW = "EI0014"
ABSENT = "HCCL_E_NOT_FOUND"

# What it is, a sound table, what spoils it, the rule, where it is broken, and the code that HCCL reports.
RANKS: list[tuple[str, Values, Spoil, str, str, str]] = [
    ("from 1", v1_0(1), put(f"{P}.rank_id", "8"), "rank-missing", "server_list", "EI0004"),
    ("a gap", v1_0(), put(f"{D}.rank_id", "99"), "rank-missing", "server_list", "EI0004"),
    ("beyond the size", v1_0(), put(f"{D}.rank_id", "16"), "rank-beyond-size", f"{D}.rank_id", "EI0004"),
    ("rank twice", v1_0(), put(f"{E}.rank_id", "3"), "rank-repeated", f"{E}.rank_id", "EI0004"),
    ("rank no digit", v1_0(), put(f"{D}.rank_id", "3a"), "rank-not-a-number", f"{D}.rank_id", "EI0004"),
    ("rank negative", v1_0(), put(f"{D}.rank_id", "-1"), "rank-not-a-number", f"{D}.rank_id", "EI0004"),
    ("rank negative in 2.0", v2_0(), put(f"{R}.rank_id", -1), "rank-beyond-size", f"{R}.rank_id", "EI0004"),
    ("rank twice in 2.0", v2_0(), put(f"{R}.rank_id", 0), "rank-repeated", f"{R}.rank_id", "EI0004"),
    (
        "rank twice in lab",
        lab(),
        put(f"{G}.instance_list[1].rank_id", "0"),
        "rank-repeated",
        f"{G}.instance_list[1].rank_id",
        "EI0004",
    ),
    ("interleaved", v1_0(), swap_ranks(D, E), "ranks-interleaved", f"{D.replace('3', '4')}.rank_id", ""),
]

DEVICES: list[tuple[str, Values, Spoil, str, str, str]] = [
    ("device no digit", v1_0(), put(f"{D}.device_id", "davinci3"), "device-not-a-number", f"{D}.device_id", PARA),
    ("device beyond 15", v1_0(), put(f"{D}.device_id", "16"), "device-beyond-limit", f"{D}.device_id", PARA),
    (
        "device beyond 7 in the legacy form",
        legacy(),
        put(f"{G}.instance_list[0].devices[7].device_id", "8"),
        "device-beyond-limit",
        f"{G}.instance_list[0].devices[7].device_id",
        PARA,
    ),
    ("device twice", v1_0(), put(f"{D}.device_id", "2"), "device-repeated", f"{D}.device_id", "EI0004"),
    ("port 0", v1_0(), put(f"{D}.device_port", "0"), "port", f"{D}.device_port", PARA),
    ("port 65536", v1_0(), put(f"{D}.device_port", "65536"), "port", f"{D}.device_port", PARA),
    ("port of 2.0", v2_0(), put(f"{R}.device_port", 0), "port", f"{R}.device_port", PARA),
    ("host_port", v1_0(), put(f"{D}.host_port", "x"), "port", f"{D}.host_port", PARA),
]

SERVERS: list[tuple[str, Values, Spoil, str, str, str]] = [
    ("server_count", v1_0(), put("server_count", "3"), "server-count", "server_count", "EI0004"),
    ("server_count no digit", v1_0(), put("server_count", "two"), "server-count", "server_count", "EI0004"),
    ("no server", v1_0(), put("server_list", []), "empty-list", "server_list", "EI0004"),
    ("no device", v1_0(), put("server_list[1].device", []), "empty-list", "server_list[1].device", "EI0004"),
    ("server twice", v1_0(), put(S, "10.0.0.10"), "server-repeated", S, "EI0004"),
    ("server without a name", v1_0(), put(S, ""), "server-id", S, PARA),
    ("server of 65 characters", v1_0(), put(S, "n" * 65), "server-id", S, PARA),
    ("server of 66 bytes", v1_0(), put(S, "节" * 22), "server-id", S, PARA),
    ("host_ip", v1_0(), put("server_list[1].host_ip", "10.0.0"), "host-ip", "server_list[1].host_ip", "EI0004"),
]

ADDRESSES: list[tuple[str, Values, Spoil, str, str, str]] = [
    ("invalid", v1_0(), put(f"{E}.device_ip", "192.168.1.256"), "ip-invalid", f"{E}.device_ip", "EI0004"),
    ("with a space", v1_0(), put(f"{E}.device_ip", "192.168.1.2, 1.1.1.1"), "ip-invalid", f"{E}.device_ip", "EI0004"),
    ("twice", v1_0(), put(f"{E}.device_ip", "192.168.1.8"), "ip-repeated", f"{E}.device_ip", "EI0004"),
    (
        "twice on one device",
        v1_0(1, 1),
        put(f"{P}.device_ip", "192.168.1.8,192.168.1.8"),
        "ip-repeated",
        f"{P}.device_ip",
        "EI0004",
    ),
    (
        "twice in two spellings",
        v1_0(),
        both(put(f"{P}.device_ip", "fd00::1"), put(f"{E}.device_ip", "fd00:0::1")),
        "ip-repeated",
        f"{E}.device_ip",
        "EI0004",
    ),
    ("none on several servers", v1_0(), without("device_ip"), "ip-missing", f"{P}.device_ip", "EI0004"),
    ("one lacks on several servers", v1_0(), drop(f"{E}.device_ip"), "ip-missing", f"{E}.device_ip", "EI0004"),
    ("one is empty on several servers", v1_0(), put(f"{E}.device_ip", ""), "ip-missing", f"{E}.device_ip", "EI0004"),
    ("one lacks on several super pods", v1_2(), drop(f"{P}.device_ip"), "ip-missing", f"{P}.device_ip", "EI0004"),
    ("not as many", v1_0(), put(f"{E}.device_ip", "192.168.9.1,192.168.9.2"), "ip-count", f"{E}.device_ip", PARA),
    ("of two families", v1_0(), put(f"{E}.device_ip", "fd00::1"), "ip-family", f"{E}.device_ip", "EI0001"),
]

SHAPES: list[tuple[str, Values, Spoil, str, str, str]] = [
    ("number for a text", v1_0(), put(f"{D}.rank_id", 3), "not-a-string", f"{D}.rank_id", PARA),
    ("null for a text", v1_0(1), put(f"{D}.device_ip", None), "not-a-string", f"{D}.device_ip", PARA),
    ("number for a count", v1_0(), put("server_count", 2), "not-a-string", "server_count", PARA),
    ("number for the version", v1_0(), put("version", 1.0), "not-a-string", "version", PARA),
    ("text for a number", v2_0(), put(f"{R}.rank_id", "1"), "not-an-integer", f"{R}.rank_id", "EI0014"),
    ("true for a number", v2_0(), put("rank_count", True), "not-an-integer", "rank_count", "EI0014"),
    ("no rank_id", v1_0(), drop(f"{D}.rank_id"), "missing-key", f"{D}.rank_id", ABSENT),
    ("no device_id", v1_0(), drop(f"{D}.device_id"), "missing-key", f"{D}.device_id", ABSENT),
    ("no server_list", v1_0(), drop("server_list"), "missing-key", "server_list", ABSENT),
    ("no status", v1_0(), drop("status"), "missing-key", "status", ABSENT),
    ("no level_list", v2_0(), drop(f"{R}.level_list"), "missing-key", f"{R}.level_list", ABSENT),
    ("object for a list", v1_0(), put("server_list", {}), "wrong-kind", "server_list", PARA),
    ("text for an object", v1_0(), put("server_list[0].device", ["0"]), "wrong-kind", "server_list[0].device[0]", PARA),
    ("initializing", v1_0(), put("status", "initializing"), "status", "status", "HCCL_E_TIMEOUT"),
    ("version unknown", v1_0(), put("version", "3.0"), "version", "version", "EI0004"),
    ("version empty", v1_0(), put("version", ""), "version", "version", "EI0004"),
    ("version null", v1_0(), put("version", None), "not-a-string", "version", PARA),
    ("version of CPU and NPU", v1_0(), put("version", "1.1"), "version", "version", "EI0004"),
    ("no version", v1_0(), drop("version"), "no-version", "", ABSENT),
]

SUPER_PODS: list[tuple[str, Values, Spoil, str, str, str]] = [
    ("id empty", v1_2(), put(f"{P}.super_device_id", ""), "super-device-id", f"{P}.super_device_id", "EI0004"),
    ("id no digit", v1_2(), put(f"{P}.super_device_id", "0x3"), "super-device-id", f"{P}.super_device_id", "EI0004"),
    ("id lacks", v1_2(), drop(f"{P}.super_device_id"), "super-device-id-missing", f"{P}.super_device_id", PARA),
    (
        "id twice",
        v1_2(),
        put(f"{P}.super_device_id", "5"),
        "super-device-id-repeated",
        "server_list[1].device[1].super_device_id",
        "EI0014",
    ),
    ("pod without a name", v1_2(), put(POD, ""), "super-pod-id", POD, "EI0004"),
    ("pod twice", v1_2(), put(POD, "0"), "super-pod-repeated", POD, "EI0004"),
    (
        "server of no list",
        v1_2(),
        put("super_pod_list[0].server_list[0].server_id", "node_9"),
        "super-pod-server-unknown",
        "super_pod_list[0].server_list[0].server_id",
        "EI0004",
    ),
    (
        "server of no super pod",
        v1_2(),
        lambda table: table["super_pod_list"][1]["server_list"].pop(),
        "super-pod-total",
        "server_list[3]",
        PARA,
    ),
    (
        "super pods in turns",
        v1_2(),
        lambda table: table["server_list"].insert(1, table["server_list"].pop()),
        "super-pods-mixed",
        "server_list[2]",
        "",
    ),
    (
        "own address as backup",
        v1_2(),
        put(f"{P}.backup_device_ip", "192.168.1.8"),
        "backup-is-own-address",
        f"{P}.backup_device_ip",
        PARA,
    ),
    (
        "backup of another NPU",
        v1_2(),
        put(f"{P}.backup_device_ip", "192.168.3.8"),
        "backup-of-another-npu",
        f"{P}.backup_device_ip",
        PARA,
    ),
    (
        "backup twice",
        v1_2(),
        both(put(f"{P}.backup_device_ip", "192.168.2.8"), put(f"{D}.backup_device_ip", "192.168.2.8")),
        "ip-repeated",
        f"{D}.backup_device_ip",
        "EI0004",
    ),
    (
        "backup port",
        v1_2(),
        both(
            put(f"{P}.backup_device_ip", "192.168.2.8"),
            put(f"{P}.backup_device_port", "16667"),
            put("server_list[0].device[1].device_port", "16667"),
        ),
        "backup-port",
        f"{P}.backup_device_port",
        PARA,
    ),
]

LEGACY: list[tuple[str, Values, Spoil, str, str, str]] = [
    ("group_count", legacy(), put("group_count", "2"), "count", "group_count", PARA),
    ("instance_count", legacy(), put(f"{G}.instance_count", "9"), "count", f"{G}.instance_count", PARA),
    ("device_count", legacy(), put(f"{G}.device_count", "9"), "count", f"{G}.device_count", PARA),
    (
        "pod_name twice",
        legacy(),
        put(f"{G}.instance_list[1].pod_name", "job-0"),
        "pod-name-repeated",
        f"{G}.instance_list[1].pod_name",
        "EI0004",
    ),
    (
        "network cards of hosts",
        lab(),
        put("para_plane_nic_location", "host"),
        "nic-location",
        "para_plane_nic_location",
        PARA,
    ),
    ("3 devices on a server", lab(3), lambda table: None, "devices-per-server", G, PARA),
    ("device_num", lab(), put(f"{G}.device_num", "4"), "count", f"{G}.device_num", PARA),
    ("server_num", lab(), put(f"{G}.server_num", "2"), "count", f"{G}.server_num", PARA),
    (
        "two devices of one rank",
        lab(),
        lambda table: at(table, f"{G}.instance_list[1].devices").append({"device_id": "5", "device_ip": "192.9.27.6"}),
        "devices-per-instance",
        f"{G}.instance_list[1].devices",
        PARA,
    ),
    (
        "no key of the address",
        legacy(),
        drop(f"{G}.instance_list[1].devices[0].device_ip"),
        "missing-key",
        f"{G}.instance_list[1].devices[0].device_ip",
        ABSENT,
    ),
    (
        "no key of the address in lab",
        lab(),
        drop(f"{G}.instance_list[1].devices[0].device_ip"),
        "missing-key",
        f"{G}.instance_list[1].devices[0].device_ip",
        ABSENT,
    ),
]

LEVELS: list[tuple[str, Values, Spoil, str, str, str]] = [
    ("rank_count", v2_0(), put("rank_count", 5), "rank-count", "rank_count", "EI0014"),
    ("no rank", v2_0(), put("rank_list", []), "empty-list", "rank_list", "EI0004"),
    ("rank_count 0", v2_0(), put("rank_count", 0), "range", "rank_count", "EI0014"),
    ("local_id 65", v2_0(), put(f"{R}.local_id", 65), "range", f"{R}.local_id", "EI0014"),
    ("device_id 65", v2_0(), put(f"{R}.device_id", 65), "range", f"{R}.device_id", "EI0014"),
    ("backup of whom", v2_0(), put(f"{R}.local_id", 64), "backup-npu", f"{R}.local_id", "EI0014"),
    ("detour", v2_0(), put("detour", "yes"), "choice", "detour", "EI0014"),
    (
        "9 layers",
        v2_0(),
        lambda table: table["rank_list"][1]["level_list"].extend([{}] * 7),
        "length",
        f"{R}.level_list",
        "EI0014",
    ),
    ("layer 8", v2_0(), put(f"{L}.net_layer", 8), "range", f"{L}.net_layer", "EI0014"),
    ("layers descend", v2_0(), put(f"{L}.net_layer", 0), "layer-order", f"{L}.net_layer", "EI0014"),
    (
        "no layer 0",
        v2_0(),
        lambda table: table["rank_list"][1]["level_list"].pop(0),
        "layer-order",
        f"{R}.level_list[0].net_layer",
        "EI0014",
    ),
    ("network without a name", v2_0(), put(f"{L}.net_instance_id", ""), "length", f"{L}.net_instance_id", "EI0014"),
    (
        "type of layer 0",
        v2_0(),
        put(f"{R}.level_list[0].net_type", "CLOS"),
        "choice",
        f"{R}.level_list[0].net_type",
        "EI0014",
    ),
    ("type of layer 1", v2_0(), put(f"{L}.net_type", "TREE"), "choice", f"{L}.net_type", "EI0014"),
    ("25 addresses", v2_0(), put(f"{L}.rank_addr_list", [{}] * 25), "length", f"{L}.rank_addr_list", "EI0014"),
    (
        "not as many in a network",
        v2_0(),
        lambda table: at(table, L)["rank_addr_list"].pop(),
        "level-uneven",
        f"{L}.rank_addr_list",
        "EI0014",
    ),
    ("type of an address", v2_0(), put(f"{A}.addr_type", "MAC"), "choice", f"{A}.addr_type", "EI0014"),
    ("address of another type", v2_0(), put(f"{A}.addr", "fd00::1"), "level-address", f"{A}.addr", "EI0014"),
    (
        "short EID",
        v2_0(),
        put(f"{L}.rank_addr_list[1].addr", "00ff"),
        "level-address",
        f"{L}.rank_addr_list[1].addr",
        "EI0014",
    ),
    (
        "backup of an NPU that has a rank",
        v2_0(),
        both(put(f"{R}.local_id", 64), put(f"{R}.replaced_local_id", 0)),
        "backup-npu",
        f"{R}.replaced_local_id",
        "EI0014",
    ),
    (
        "backup of the backup",
        v2_0(),
        both(put(f"{R}.local_id", 64), put(f"{R}.replaced_local_id", 64)),
        "range",
        f"{R}.replaced_local_id",
        "EI0014",
    ),
    (
        "two backups",
        v2_0(),
        lambda table: [rank.update(local_id=64, replaced_local_id=1) for rank in table["rank_list"][1::2]],
        "backup-npu",
        "rank_list[3].local_id",
        "EI0014",
    ),
    ("no backup", v2_0(), put(f"{R}.replaced_local_id", 0), "replaced-local-id", f"{R}.replaced_local_id", "EI0014"),
    ("address in its stead", v2_0(), put(f"{A}.backup_addr", ["::1"]), "backup-address", f"{A}.backup_addr[0]", NEW),
    ("in an EID's stead", v2_0(), put(f"{EID}.backup_addr", ["00ff"]), "backup-address", f"{EID}.backup_addr[0]", NEW),
    ("17 in its stead", v2_0(), put(f"{A}.backup_addr", ["10.0.0.1"] * 17), "length", f"{A}.backup_addr", NEW),
    ("plane of 1025", v2_0(), put(f"{A}.plane_id", "p" * 1025), "length", f"{A}.plane_id", "EI0014"),
    (
        "address of the control plane",
        v2_0(),
        put(f"{R}.control_plane", {"addr_type": "IPV4", "addr": "host", "listen_port": 8000}),
        "level-address",
        f"{R}.control_plane.addr",
        "EI0014",
    ),
    (
        "port of the control plane",
        v2_0(),
        put(f"{R}.control_plane", {"addr_type": "IPV4", "addr": "10.0.0.1", "listen_port": 65536}),
        "range",
        f"{R}.control_plane.listen_port",
        "EI0014",
    ),
    ("no port", v2_0(), put(f"{A}.ports", []), "length", f"{A}.ports", "EI0014"),
    ("form of a port", v2_0(), put(f"{A}.ports", ["4"]), "level-port", f"{A}.ports[0]", "EI0014"),
    (
        "port at two addresses",
        v2_0(),
        put(f"{L}.rank_addr_list[1].ports", ["0/4"]),
        "level-port-repeated",
        f"{L}.rank_addr_list[1].ports[0]",
        "EI0014",
    ),
]

REFUSED = [*RANKS, *DEVICES, *SERVERS, *ADDRESSES, *SHAPES, *SUPER_PODS, *LEGACY, *LEVELS]


@pytest.mark.parametrize(
    ("table", "spoil", "rule", "path", "code"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED]
)
def test_what_hccl_refuses_is_told_with_its_place_and_code(
    table: Values, spoil: Spoil, rule: str, path: str, code: str
) -> None:
    table = json.loads(json.dumps(table))
    spoil(table)
    found = {(each.rule, each.path): each for each in check_table(text(table))}
    assert (rule, path) in found, "\n".join(map(str, found))
    violation = found[rule, path]
    assert violation.severity is Severity.REFUSED
    assert violation.codes[:1] == ((code,) if code else ())
    assert violation.seen
    assert violation.says
    assert violation.remedy
    assert violation.source
    assert points_at_a_value(text(table), violation)


def points_at_a_value(content: str, violation: Violation) -> bool:
    """Whether line and column are where a value begins."""
    assert violation.line is not None
    assert violation.column is not None
    return content.splitlines()[violation.line - 1][violation.column - 1] in '"{[tfn-0123456789'


WARNINGS: list[tuple[str, Values, Spoil, str, str]] = [
    ("unknown key", v1_0(), put(f"{D}.device_Ip", "x"), "unknown-key", f"{D}.device_Ip"),
    ("unknown key below", v2_0(), put(f"{L}.speed", 1), "unknown-key", f"{L}.speed"),
    ("no server_count", v1_0(), drop("server_count"), "no-server-count", ""),
    (
        "order of servers",
        v1_0(),
        both(put("server_list[0].server_id", "10.0.0.9"), put(S, "10.0.0.10")),
        "server-order",
        "server_list[1].device[0].rank_id",
    ),
    (
        "shared device",
        v1_0(),
        both(put(f"{P}.device_port", "16666"), put(f"{D}.device_port", "16667"), put(f"{D}.device_id", "0")),
        "device-shared",
        f"{D}.device_id",
    ),
    ("none in one super pod", v1_2(pods=1), without("device_ip"), "ip-missing-in-super-pod", f"{P}.device_ip"),
    ("some lack on one server", v1_0(1), drop(f"{D}.device_ip"), "ip-partial", f"{D}.device_ip"),
    ("families on one server", v1_0(1), put(f"{D}.device_ip", "fd00::1"), "ip-family-on-one-server", f"{D}.device_ip"),
    ("port of the system", v1_0(), put(f"{D}.device_port", "22"), "system-port", f"{D}.device_port"),
    (
        "host_port twice",
        v1_0(),
        both(put(f"{P}.host_port", "16666"), put(f"{D}.host_port", "16666")),
        "host-port-repeated",
        f"{D}.host_port",
    ),
    ("host_ip of IPv6", v1_0(), put("server_list[0].host_ip", "fd00::1"), "host-ip-family", "server_list[0].host_ip"),
    (
        "host_ip alone",
        v1_0(1),
        both(put("server_list[0].host_ip", "10.0.0.10"), without("device_ip")),
        "host-network",
        P,
    ),
    (
        "backup of elsewhere",
        v1_2(),
        put(f"{P}.backup_device_ip", "192.168.77.1"),
        "backup-not-in-table",
        f"{P}.backup_device_ip",
    ),
    ("no super pods", v1_2(), both(drop("super_pod_list"), without("super_device_id")), "no-super-pods", ""),
    ("no super pods, but ids", v1_2(), drop("super_pod_list"), "no-super-pods", ""),
    ("server in capitals", v1_0(), both(put("server_list[0].server_id", "Node"), put(S, "node")), "server-alike", S),
    ("server padded", v1_0(), put(S, "10.0.0.10 "), "server-alike", S),
    (
        "server in two spellings",
        v1_0(),
        both(put("server_list[0].server_id", "fd00::1"), put(S, "fd00:0::1")),
        "server-alike",
        S,
    ),
    ("address of nobody", v1_0(), put(f"{D}.device_ip", "0.0.0.0"), "ip-unusable", f"{D}.device_ip"),
    ("address of the host", v1_0(), put(f"{D}.device_ip", "127.0.0.1"), "ip-unusable", f"{D}.device_ip"),
    (
        "as the guide writes it",
        v2_0(),
        put(f"{A}.addr_type", "IPv4"),
        "address-type-in-small-letters",
        f"{A}.addr_type",
    ),
    ("initializing 2.0", v2_0(), put("status", "initializing"), "status-unread", "status"),
    ("group without a name", lab(), drop(f"{G}.group_name"), "no-group-name", G),
    ("super pods in 1.0", v1_2(), put("version", "1.0"), "super-pods-unread", "super_pod_list"),
    (
        "server in two super pods",
        v1_2(),
        lambda table: table["super_pod_list"][1]["server_list"].append({"server_id": "node_0"}),
        "super-pod-server-twice",
        "super_pod_list[1].server_list[2].server_id",
    ),
    (
        "uneven super pods",
        v1_2(),
        lambda table: table["super_pod_list"][0]["server_list"].append(
            table["super_pod_list"][1]["server_list"].pop(0)
        ),
        "super-pods-uneven",
        "super_pod_list",
    ),
]


@pytest.mark.parametrize(
    ("table", "spoil", "rule", "path"), [case[1:] for case in WARNINGS], ids=[case[0] for case in WARNINGS]
)
def test_what_nobody_says_hccl_to_refuse_is_a_warning(table: Values, spoil: Spoil, rule: str, path: str) -> None:
    table = json.loads(json.dumps(table))
    spoil(table)
    found = {(each.rule, each.path): each for each in check_table(text(table))}
    assert (rule, path) in found, "\n".join(map(str, found))
    assert found[rule, path].severity is Severity.WARNING
    assert not found[rule, path].codes


TAKEN: list[tuple[str, Values, Spoil]] = [
    ("comma at the end", v1_0(), put(f"{D}.device_ip", "192.168.4.8,")),
    (
        "backup in another spelling",
        v1_2(1, 1, 2),
        both(
            put(f"{P}.device_ip", "fd00::1"),
            put(f"{P}.backup_device_ip", "fd00:0::2"),
            put("server_list[0].device[1].device_ip", "fd00::2"),
        ),
    ),
    ("network of the host", v1_0(), both(put(f"{D}.net_position", "device"), put(f"{D}.net_protocol", "rdma"))),
    ("address in its stead", v2_0(), put(f"{A}.backup_addr", ["10.0.0.1"])),
    ("backup NPU", v2_0(1), both(put(f"{R}.local_id", 64), put(f"{R}.replaced_local_id", 1))),
    ("stands for itself", v2_0(), put(f"{R}.replaced_local_id", 1)),
    ("control plane", v2_0(), put(f"{R}.control_plane", {"addr_type": "IPV6", "addr": "::1", "listen_port": 8000})),
]


@pytest.mark.parametrize(("table", "spoil"), [case[1:] for case in TAKEN], ids=[case[0] for case in TAKEN])
def test_what_hccl_takes_is_no_violation(table: Values, spoil: Spoil) -> None:
    table = json.loads(json.dumps(table))
    spoil(table)
    assert [(each.rule, each.path) for each in check_table(text(table))] == []


def test_a_half_numbered_1_2_without_super_pods_is_not_refused() -> None:
    table = v1_2()
    del table["super_pod_list"]
    del at(table, D)["super_device_id"]
    assert [each.rule for each in check_table(text(table))] == ["no-super-pods"]


def test_a_super_pod_has_servers() -> None:
    table = v1_2()
    table["super_pod_list"].append({"super_pod_id": "9", "server_list": []})
    assert [(each.rule, each.path) for each in check_table(text(table))] == [
        ("empty-list", "super_pod_list[2].server_list")
    ]


@pytest.mark.parametrize("path", ["rank_count", f"{R}.rank_id", f"{R}.local_id", f"{R}.device_id", f"{L}.net_layer"])
def test_a_huge_number_is_shown_shortened(path: str) -> None:
    table = v2_0()
    put(path, 10**4000)(table)
    found = check_table(text(table))
    assert path in {each.path for each in found}
    assert max(len(each.seen) + len(each.says) + len(each.remedy) for each in found) < 500


@pytest.mark.parametrize(
    "table", [v1_0(), v1_0(1, 1), v1_2(), v1_2(1, 1, 16), v2_0(), legacy(), lab(), lab(8)], ids=range(8)
)
def test_a_sound_table_has_no_violation(table: Values) -> None:
    assert [each.rule for each in check_table(text(table))] == []


TEXTS: list[tuple[str, str | bytes, str, int, int]] = [
    ("empty", "", "not-json", 1, 1),
    ("truncated", text(v1_0())[:100], "not-json", 7, 6),
    ("trailing comma", '{\n  "status": "completed",\n}', "not-json", 3, 1),
    ("comment", '{\n  "status": "completed", // usable\n  "version": "1.0"}', "comment", 2, 26),
    ("no number", '{"version": NaN}', "not-json", 1, 1),
    ("binary", b"\x89PNG\r\n\x1a\n", "not-text", 1, 1),
    ("another encoding", '{"server_id": "节点"}'.encode("gb18030"), "not-text", 1, 1),
    ("byte order mark", "\ufeff" + text(v1_0()), "byte-order-mark", 1, 1),
    ("list", "[]", "wrong-kind", 1, 1),
    ("nested", "[" * 100_000, "not-json", 1, 1),
    ("huge number", '{"rank_count": ' + "9" * 10_000 + "}", "not-json", 1, 1),
    ("key twice", '{"status": "completed", "status": "completed", "version": "1.0"}', "repeated-key", 1, 1),
]


@pytest.mark.parametrize(
    ("content", "rule", "line", "column"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS]
)
def test_a_text_that_is_no_table_is_told_with_its_place(
    content: str | bytes, rule: str, line: int, column: int
) -> None:
    found = {each.rule: each for each in check_table(content)}
    assert (found[rule].line, found[rule].column) == (line, column)


def test_a_gap_names_the_missing_rank() -> None:
    table = v1_0()
    at(table, D)["rank_id"] = "16"
    found = {each.rule: each for each in check_table(text(table))}
    assert found["rank-missing"].seen == "no rank 3 among 16 ranks"
    assert found["rank-beyond-size"].remedy == "number the 16 ranks from 0 to 15"


def test_all_violations_are_told_at_once_and_in_the_order_of_the_text() -> None:
    table = v1_0()
    both(
        put(f"{E}.device_ip", "fd00::1"),
        put(f"{D}.rank_id", 3),
        put("server_count", "7"),
        put(f"{P}.device_id", "44"),
    )(table)
    found = check_table(text(table))
    assert [each.rule for each in found] == ["server-count", "device-beyond-limit", "not-a-string", "ip-family"]
    assert [each.line for each in found] == sorted(each.line or 0 for each in found)
    assert check_table(text(table)) == found


def test_a_line_and_a_column_are_those_of_the_value() -> None:
    content = '{"status": "completed",\r\n "version": "1.0", "server_count": "1",\r\n\t"server_list": "节点"}\r\n'
    found = {each.rule: each for each in check_table(content)}
    assert (found["wrong-kind"].line, found["wrong-kind"].column) == (3, 17)


def test_a_number_for_a_text_hides_no_other_violation() -> None:
    table = v1_0()
    for server in table["server_list"]:
        for device in server["device"]:
            device["rank_id"] = int(device["rank_id"])
    at(table, D)["rank_id"] = 2
    found = [each.rule for each in check_table(text(table))]
    assert found.count("not-a-string") == 16
    assert found.count("rank-repeated") == 1


def uneven(table: Values) -> Values:
    del table["server_list"][1]["device"][4:]
    return table


CHIPS: list[tuple[str, Values, str, str, str]] = [
    ("1.0 for a 950", v1_0(1), "Ascend950PR", "version-misfit", "version is not supported"),
    ("2.0 for a 910B", v2_0(), "Ascend910B3", "version-misfit", "version is not supported"),
    ("1.2 for a 910B", v1_2(), "Ascend910B3", "version-unusual", "no table of this format"),
    ("legacy for a 910B", legacy(), "Ascend910B3", "version-unusual", "no table of this format"),
    ("3 devices of a 910A", v1_0(1, 3), "Ascend910A", "topology", "a job has 1, 2, 4 or 8 devices"),
    ("uneven 910A", uneven(v1_0()), "Ascend910A", "topology", "as many devices of each server are needed"),
    ("4 of each of two 910A", v1_0(2, 4), "Ascend910A", "topology-advice", "since CANN 7.0 also 1, 2 or 4"),
    ("uneven 910B", uneven(v1_0()), "Ascend910B3", "topology-advice", "are recommended"),
    ("half an NPU of an A3", v1_2(1, 2, 3), "Ascend910_9391", "topology-advice", "devices of a server"),
]


@pytest.mark.parametrize(
    ("table", "soc", "rule", "says"), [case[1:] for case in CHIPS], ids=[case[0] for case in CHIPS]
)
def test_what_does_not_fit_the_chip_is_told(table: Values, soc: str, rule: str, says: str) -> None:
    found = {each.rule: each for each in check_table(text(table), soc=soc)}
    assert says in found[rule].says
    assert found[rule].source


def test_servers_that_hccl_counts_have_its_code() -> None:
    found = {each.rule: each for each in check_table(text(uneven(v1_0())), soc="Ascend910A")}
    assert found["topology"].codes == ("EI0004", "EI0014")


def test_every_rule_of_a_table_is_shown_here() -> None:
    shown = {case[3] for case in [*REFUSED, *WARNINGS, *CHIPS]} | {case[2] for case in TEXTS}
    topics = (rules.form, rules.members, rules.addresses, rules.servers, rules.groups, rules.levels)
    catalogue = {rule.name for topic in topics for rule in vars(topic).values() if isinstance(rule, rules.Rule)}
    assert {name for name in catalogue - shown if not name.startswith("file-")} == set()
