"""Rank table version 1.2, for super pods of Ascend 910_93 (HCCL user guide, cluster_info_config for Atlas A3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, Literal

from launcher.planning.placement import Seat
from launcher.planning.ranktable import rules
from launcher.planning.ranktable.concise import (
    ConciseTable,
    ServerName,
    SuperPod,
    by_server,
    check_servers,
    entries,
    servers_of,
)
from launcher.planning.ranktable.entry import items, number, size, text
from launcher.planning.ranktable.violation import Findings, shown
from launcher.specs.soc import Family

LONGEST_POD_ID: Final = 127  # bytes


class RankTable(ConciseTable):
    """The whole table. Without `super_pod_list` HCCL treats it as 1.0."""

    version: Literal["1.2"] = "1.2"


def rank_table(seats: Sequence[Seat]) -> RankTable:
    """The table of these seats, which are in rank order, whose hosts each have a super pod."""
    servers = servers_of(seats, Family.ASCEND910_93)
    pods: dict[str, list[str]] = {}
    for server_id, own in by_server(seats).items():
        pods.setdefault(own[0].host.super_pod or "", []).append(server_id)
    return RankTable(
        status="completed",
        server_count=str(len(servers)),
        server_list=servers,
        super_pod_list=tuple(
            SuperPod(super_pod_id=pod, server_list=tuple(ServerName(server_id=server_id) for server_id in members))
            for pod, members in pods.items()
        ),
    )


def check(values: dict[str, Any], found: Findings) -> None:
    """Report what this version wants beyond what all want."""
    check_servers(values, found)
    if "super_pod_list" in values:
        _check_super_device_ids(values, _check_pods(values, found), True, found)
    else:
        found.add(rules.servers.NO_PODS, (), "no super_pod_list")
        _check_super_device_ids(values, {}, False, found)


def _check_pods(values: dict[str, Any], found: Findings) -> dict[str, str]:
    """The super pod of each server, after complaints of what is wrong with them."""
    servers = {text(server.get("server_id")): at for at, server in items(values, "server_list")}
    names: dict[str, int | str] = {}
    pods: dict[str, str] = {}
    for at, pod in items(values, "super_pod_list"):
        name = text(pod.get("super_pod_id"))
        if name is not None and not 0 < size(name) <= LONGEST_POD_ID:
            found.add(rules.servers.POD_ID, (*at, "super_pod_id"), f"super_pod_id is {shown(name)}")
        elif name is not None and names.setdefault(name, at[-1]) != at[-1]:
            seen = f"super_pod_id {shown(name)} again, which super_pod_list[{names[name]}] has"
            found.add(rules.servers.POD_REPEATED, (*at, "super_pod_id"), seen)
        if pod.get("server_list") == []:
            found.add(rules.form.EMPTY_LIST, (*at, "server_list"), "server_list is empty", name="server_list")
        for member_at, member in items(pod, "server_list", at):
            server = text(member.get("server_id"))
            if server is None:
                continue
            if server not in servers:
                seen = f"server_id {shown(server)}, which server_list has not"
                found.add(rules.servers.POD_SERVER_UNKNOWN, (*member_at, "server_id"), seen)
                continue
            if server in pods:
                seen = f"server_id {shown(server)} again, which super pod {shown(pods[server])} has"
                found.add(rules.servers.POD_SERVER_TWICE, (*member_at, "server_id"), seen)
            pods[server] = name or ""
    for server, at in servers.items():
        if server is not None and server not in pods:
            seen = f"server {shown(server)} is in no super pod"
            found.add(rules.servers.POD_TOTAL, at, seen, listed=len(pods), servers=len(servers))
    _check_order(values, pods, found)
    _check_sizes(values, pods, found)
    return pods


def _check_order(values: dict[str, Any], pods: dict[str, str], found: Findings) -> None:
    ended: set[str] = set()
    before = ""
    for at, server in items(values, "server_list"):
        pod = pods.get(text(server.get("server_id")) or "")
        if pod is None:
            continue
        if pod != before:
            ended.add(before)
            if pod in ended:
                seen = f"a server of super pod {shown(pod)} after one of {shown(before)}"
                found.add(rules.servers.POD_MIXED, at, seen)
        before = pod


def _check_sizes(values: dict[str, Any], pods: dict[str, str], found: Findings) -> None:
    servers = Counter(pods.values())
    devices = Counter(entry.server for entry in entries(values))
    for kind, sizes in (("servers in the super pods", servers), ("devices on the servers", devices)):
        if len(set(sizes.values())) > 1:
            seen = f"{kind}: {min(sizes.values())} to {max(sizes.values())}"
            found.add(rules.servers.POD_UNEVEN, ("super_pod_list",), seen)


def _check_super_device_ids(values: dict[str, Any], pods: dict[str, str], needed: bool, found: Findings) -> None:
    owners: dict[tuple[str | None, int], str] = {}
    for entry in entries(values):
        at = (*entry.at, "super_device_id")
        if "super_device_id" not in entry.values:
            if needed:
                found.add(rules.servers.SDID_MISSING, at, "no super_device_id", rank=entry.rank)
            continue
        written = text(entry.values["super_device_id"])
        if written is None:
            continue
        value = number(written)
        if value is None or value >= 1 << 32:
            found.add(rules.servers.SDID, at, f"super_device_id is {shown(written)}", value=written[:80])
            continue
        key = (pods.get(entry.server or "", entry.server), value)
        owner = owners.setdefault(key, f"rank {entry.rank}")
        if owner != f"rank {entry.rank}":
            seen = f"super_device_id {written} again, which {owner} has"
            found.add(rules.servers.SDID_REPEATED, at, seen, value=hex(value), pod=key[0])
