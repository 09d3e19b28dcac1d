"""What rank tables 1.0 and 1.2 share: servers and their devices, which HCCL's "concise" parser reads.

Every scalar is a JSON string: the parser refuses numbers (cann-hccl, topoinfo_ranktableConcise.cc). The keys are those
of the HCCL user guide, cluster_info_config; those of MindSpore (mindspore-ai/docs, rank_table.md): `host_nic_ip`, which
HCCL does not read, and `cluster_list` with what belongs to it; those of ascend-operator (Ascend/mind-cluster,
hccl.json_file_description.md); and `net_position` and `net_protocol`, which only the parser of cann/hcomm has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from launcher.planning.placement import Seat
from launcher.planning.ranktable import rules
from launcher.planning.ranktable.addresses import parse_ip, same_ip, split_ips
from launcher.planning.ranktable.entry import Entry, RankEntry, Table, items, number, size, text
from launcher.planning.ranktable.violation import Findings, Path, shown
from launcher.specs.soc import Family

LONGEST_SERVER_ID: Final = 64  # bytes


class TableDevice(Entry):
    """A device and the rank that has it. Ports default to 16666 in HCCL."""

    device_id: str
    device_ip: str | None = None
    rank_id: str
    device_port: str | None = None
    device_vnic_port: str | None = None
    host_port: str | None = None
    net_position: str | None = None
    net_protocol: str | None = None
    dpu_ip: str | None = None
    numa_id: str | None = None
    super_device_id: str | None = None
    backup_device_ip: str | None = None
    backup_device_port: str | None = None


class TableServer(Entry):
    """A server and its devices in use."""

    server_id: str
    host_nic_ip: str | None = None
    host_ip: str | None = None
    container_ip: str | None = None
    pod_ip: str | None = None
    server_ip: str | None = None
    hardware_type: str | None = None
    device: tuple[TableDevice, ...]


class ServerName(Entry):
    """A server, by its name in `server_list`."""

    server_id: str


class SuperPod(Entry):
    """The servers of one super pod."""

    super_pod_id: str
    server_list: tuple[ServerName, ...]


class TableCluster(Entry):
    """One cluster of several that train together, as MindSpore has it."""

    cluster_id: str
    network_type: str | None = None
    az_id: str | None = None
    region_id: str | None = None
    server_list: tuple[ServerName, ...]


class ConciseTable(Table):
    """The whole table, of either version."""

    status: str
    version: str
    server_count: str | None = None
    server_list: tuple[TableServer, ...]
    super_pod_list: tuple[SuperPod, ...] | None = None
    cluster_list: tuple[TableCluster, ...] | None = None


def servers_of(seats: Sequence[Seat], family: Family | None) -> tuple[TableServer, ...]:
    """The servers of these seats, which are in rank order; a server has the place of its first rank."""
    return tuple(
        TableServer(
            server_id=server_id,
            host_nic_ip="reserve",
            host_ip=_host_ip(own, family),
            device=tuple(_device(seat) for seat in own),
        )
        for server_id, own in by_server(seats).items()
    )


def by_server(seats: Sequence[Seat]) -> dict[str, list[Seat]]:
    """The seats of each server: several hosts, as containers of one server, may share a `server_id`."""
    servers: dict[str, list[Seat]] = {}
    for seat in seats:
        servers.setdefault(seat.host.machine, []).append(seat)
    return servers


def _host_ip(own: Sequence[Seat], family: Family | None) -> str | None:
    """The host's own IPv4 address, which HCCL needs on A3 to repeat an operator (HCCL_OP_RETRY_ENABLE).

    Not where a device lacks an address: HCCL would then use the hosts' network cards for all traffic (cann-hccl,
    TopoinfoRanktableConcise::DetectNicDepoly).
    """
    if family is not Family.ASCEND910_93 or any(seat.device.ip is None for seat in own):
        return None
    address = parse_ip(own[0].host.address)
    return str(address) if address is not None and address.version == 4 else None


def _device(seat: Seat) -> TableDevice:
    device = seat.device
    return TableDevice(
        device_id=str(device.id),
        device_ip=device.ip,
        rank_id=str(seat.rank),
        device_port=None if device.port is None else str(device.port),
        super_device_id=device.super_device_id,
        backup_device_ip=device.backup_ip,
    )


def entries(values: dict[str, Any]) -> Iterator[RankEntry]:
    """The ranks, in the order of the file."""
    for server_at, server in items(values, "server_list"):
        name = text(server.get("server_id"))
        for at, device in items(server, "device", server_at):
            yield RankEntry(
                at=at,
                rank_at=(*at, "rank_id"),
                rank_written=device.get("rank_id"),
                rank=number(device.get("rank_id")),
                server=name,
                device=number(device.get("device_id")),
                ips=split_ips(device.get("device_ip")),
                values=device,
            )


def check_servers(values: dict[str, Any], found: Findings) -> None:
    """Report servers without a sound name or address, and a count that is not theirs."""
    servers = list(items(values, "server_list"))
    if values.get("server_list") == []:
        found.add(rules.form.EMPTY_LIST, ("server_list",), "server_list is empty", name="server_list")
    count = text(values.get("server_count"))
    if count is not None and number(count) != len(servers):
        seen = f"server_count is {shown(count)}, and server_list has {len(servers)}"
        found.add(rules.servers.SERVER_COUNT, ("server_count",), seen, count=len(servers))
    owners: dict[str, int | str] = {}
    alike: dict[str | None, str] = {}
    for at, server in servers:
        name = text(server.get("server_id"))
        if name is not None and not 0 < (length := size(name)) <= LONGEST_SERVER_ID:
            seen = f"server_id has {length} bytes" if name else "server_id is empty"
            found.add(rules.servers.SERVER_ID, (*at, "server_id"), seen, value=name[:80])
        elif name is not None and owners.setdefault(name, at[-1]) != at[-1]:
            seen = f"server_id {shown(name)} again, which server_list[{owners[name]}] has"
            found.add(rules.servers.SERVER_REPEATED, (*at, "server_id"), seen)
        elif name is not None and (other := alike.setdefault(same_ip(name.strip().casefold()), name)) != name:
            found.add(rules.servers.SERVER_ALIKE, (*at, "server_id"), f"server_id {shown(name)} beside {shown(other)}")
        if server.get("device") == []:
            found.add(rules.form.EMPTY_LIST, (*at, "device"), "device is empty", name="device")
        _check_host_ip((*at, "host_ip"), server.get("host_ip"), found)


def _check_host_ip(at: Path, value: Any, found: Findings) -> None:
    if not isinstance(value, str):
        return
    address = parse_ip(value)
    if address is None:
        found.add(rules.servers.HOST_IP, at, f"host_ip is {shown(value)}")
    elif address.version != 4:
        found.add(rules.servers.HOST_IP_FAMILY, at, f"host_ip is {shown(value)}")
