"""From a rank table to the cluster that it is of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from launcher.errors import SpecError
from launcher.planning.ranktable.addresses import parse_ip
from launcher.planning.ranktable.entry import RankEntry, Table, items, number, text
from launcher.planning.ranktable.formats import TableFormat
from launcher.planning.ranktable.reading import format_read, ranks_of
from launcher.specs import Cluster

_HOST_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")


def cluster_of(
    table: Table, *, name: str = "imported", soc: str | None = None, addresses: Mapping[str, str] | None = None
) -> Cluster:
    """The hosts and devices of a table, hosts in the order of their first ranks.

    A table does not tell the chip (`soc`), but for the legacy forms, nor always how a server is reached: that is what
    `addresses` has for the server's name, its `host_ip`, or its `server_id` where that can be an address. Rank table
    2.0 names no servers: there the name is that of the network of layer 0.

    Raises SpecError for a server without an address, a missing `soc`, and for what no cluster can be.
    """
    format = format_read(table)
    chip = soc or ("Ascend910A" if format in (TableFormat.LEGACY, TableFormat.LEGACY_LAB) else None)
    if chip is None:
        raise SpecError(
            f"rank table {format.value} does not say which chip it is for",
            expected="soc, such as Ascend910B3",
            remedy="look at `npu-smi info` on a host of it",
        )
    values = table.model_dump(mode="json", exclude_none=True)
    servers = {text(server.get("server_id")): server for _, server in items(values, "server_list")}
    pods = {
        member.get("server_id"): pod.get("super_pod_id")
        for at, pod in items(values, "super_pod_list")
        for _, member in items(pod, "server_list", at)
    }
    devices: dict[str, list[dict[str, Any]]] = {}
    for entry in ranks_of(table):
        devices.setdefault(entry.server or "", []).append(_device(entry))
    hosts = []
    names: set[str] = set()
    for server, own in devices.items():
        address = (addresses or {}).get(server) or _address(server, servers.get(server, {}), format)
        host: dict[str, Any] = {"name": _host_name(server, names), "address": address, "devices": own}
        if format is not TableFormat.V2_0 and server != address:
            host["server_id"] = server
        if server in pods:
            host["super_pod"] = pods[server]
        hosts.append(host)
    try:
        return Cluster.model_validate({"name": name, "soc": chip, "hosts": hosts})
    except ValidationError as error:
        reasons = [str(each.get("ctx", {}).get("reason") or each["msg"]) for each in error.errors(include_url=False)]
        raise SpecError(
            f"the table describes no sound cluster: {reasons[0]}",
            remedy="npu-launch ranktable --check tells all that is wrong with it",
        ) from None


def _address(server: str, values: dict[str, Any], format: TableFormat) -> str:
    """Where a server is reached. Raises SpecError when the table does not say it."""
    for candidate in (values.get("host_ip"), server, values.get("server_ip"), values.get("container_ip")):
        if isinstance(candidate, str) and parse_ip(candidate) is not None:
            return candidate
    if format is not TableFormat.V2_0 and _HOST_NAME.fullmatch(server):
        return server
    raise SpecError(
        f"the table does not say how server {server or '(without a name)'} is reached",
        expected="a host_ip, or a server_id that is an IP address or a host name",
        remedy="add host_ip to the server, or name its address",
    )


def _host_name(server: str, taken: set[str]) -> str:
    """A host's name after its server: what it cannot hold becomes a dash, and one that is taken gets a number."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", server).strip("-._")[:50] or "host"
    name, count = base, 1
    while name in taken:
        count += 1
        name = f"{base}-{count}"
    taken.add(name)
    return name


def _device(entry: RankEntry) -> dict[str, Any]:
    """The device of a rank as a cluster spec has it; of several addresses the first."""
    values = entry.values
    own: dict[str, Any] = {"id": entry.device}
    if entry.ips:
        own["ip"] = entry.ips[0]
    if values.get("super_device_id"):
        own["super_device_id"] = values["super_device_id"]
    if values.get("backup_device_ip"):
        own["backup_ip"] = values["backup_device_ip"].split(",")[0]
    if (port := number(values.get("device_port"))) is not None:
        own["port"] = port
    if levels := [_level(level) for _, level in items(values, "level_list")]:
        own["levels"] = levels
    return own


def _level(level: dict[str, Any]) -> dict[str, Any]:
    addresses = [
        {
            "type": str(address.get("addr_type")).upper(),
            "address": address.get("addr"),
            "ports": address.get("ports", []),
            **({"plane_id": address["plane_id"]} if "plane_id" in address else {}),
        }
        for _, address in items(level, "rank_addr_list")
    ]
    keys = ("net_layer", "net_instance_id", "net_type")
    return {**{key: level[key] for key in keys if key in level}, "addresses": addresses}
