"""Reads rank tables, those of ascend-operator among them, and ClusterD's table of several jobs, as clusters."""

from __future__ import annotations

from typing import Any

from launcher.errors import SpecError
from launcher.hosts.importing.given import Given, refuse_unknown_chip
from launcher.planning.ranktable.check import check_table
from launcher.planning.ranktable.cluster import cluster_of
from launcher.planning.ranktable.entry import items, number, text
from launcher.planning.ranktable.formats import TableFormat, format_of
from launcher.planning.ranktable.reading import read_table
from launcher.planning.ranktable.source import NotJson, parse, places
from launcher.planning.ranktable.violation import Path
from launcher.specs import Cluster, cluster_from_mapping
from launcher.specs.servers import SERVERS

_WAIT = "wait until its status is completed: ascend-operator writes it anew when all Pods of the job run"


def read_rank_table(content: str, given: Given, where: str) -> Cluster:
    """The cluster of a rank table of any version.

    Raises SpecError, also for one that is not completed yet, or that HCCL would refuse: who knows which hosts it lacks.
    """
    _refuse_unfinished(content, where)
    table = read_table(content, where)
    _refuse_unsound(content, where)
    if format_of(table) not in (TableFormat.LEGACY, TableFormat.LEGACY_LAB):
        refuse_unknown_chip(given, where)
    server = SERVERS.get(given.server or "")
    try:
        cluster = cluster_of(table, name=given.name, soc=given.soc or (server.soc if server else None))
    except SpecError as error:
        raise SpecError(error.what, where=where, expected=error.expected, remedy=error.remedy) from None
    if given.server is None:
        return cluster
    hosts = [host.model_dump(exclude_none=True, exclude_defaults=True) for host in cluster.hosts]
    return cluster_from_mapping({**given.keys, "soc": cluster.soc, "hosts": hosts}, where)


def read_clusterd(content: str, given: Given, where: str) -> Cluster:
    """The cluster of a ClusterD table, `server_group_list` (MindCluster user guide, dl_bestpractice).

    Raises SpecError, also for one that is not completed yet.
    """
    _refuse_unfinished(content, where)
    refuse_unknown_chip(given, where)
    servers = {
        at: server
        for group_at, group in items(parse(content), "server_group_list")
        for at, server in items(group, "server_list", group_at)
    }
    if not servers:
        raise SpecError("has no server in server_group_list", where=where)
    hosts = [_server(server, at, content, where) for at, server in servers.items()]
    found = places(content, servers)
    at_hosts: dict[Path, str] = {
        ("hosts", index): f"{where}:{found[at][0]}:{found[at][1]}" for index, at in enumerate(servers)
    }
    return cluster_from_mapping({**given.keys, "hosts": hosts}, where, at_hosts)


def _server(server: dict[str, Any], at: Path, content: str, where: str) -> dict[str, Any]:
    name, address = text(server.get("server_id")), text(server.get("server_ip"))
    if not name or not address:
        raise _refusal("has no server_id or no server_ip", at, content, where)
    devices = []
    for device_at, device in items(server, "device", at):
        ip, ident = text(device.get("device_ip")), number(device.get("device_id"))
        if ident is None:
            raise _refusal("has no device_id that is a number", device_at, content, where)
        devices.append({"id": ident, **({"ip": ip} if ip else {})})
    return {"name": name if ":" in address else address, "address": address, "server_id": name, "devices": devices}


def _refuse_unfinished(content: str, where: str) -> None:
    """A table is usable when its status is `completed`; before that it is `initializing` (Ascend/mind-cluster)."""
    try:
        values = parse(content)
    except NotJson as error:
        place = f"{where}:{error.line}:{error.column}"
        raise SpecError(f"is not JSON: {error.reason}", where=place, expected="a rank table") from None
    status = values.get("status", "completed") if isinstance(values, dict) else "completed"
    if status != "completed":
        remedy = _WAIT if status in ("initializing", "unknown") else ""
        raise _refusal(f"has the status {status!r}", ("status",), content, where, expected="completed", remedy=remedy)


def _refuse_unsound(content: str, where: str) -> None:
    refused = [violation for violation in check_table(content) if violation.is_refused]
    if refused:
        first = refused[0]
        raise SpecError(
            f"is a table that HCCL would refuse: {first.path}: {first.seen}",
            where=f"{where}:{first.line}:{first.column}" if first.line else where,
            expected="a table with which a job has run",
            remedy=f"{first.remedy}; `npu-launch ranktable --check {where}` tells all that is wrong with it",
        )


def _refusal(what: str, at: Path, content: str, where: str, **more: str) -> SpecError:
    line, column = places(content, [at])[at]
    return SpecError(what, where=f"{where}:{line}:{column}", **more)
