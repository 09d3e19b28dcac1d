"""Rank table version 2.0, for Ascend 950 (HCCL user guide, cluster_info_config for Ascend 950PR and 950DT).

Here ids, counts and ports are JSON numbers. Servers have no name: those of a rank are told by its network of layer 0.
Keys that the guide does not have are those of cann/hcomm, rank_table_info.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal

from launcher.planning.placement import Seat
from launcher.planning.ranktable import rules
from launcher.planning.ranktable.addresses import parse_ip
from launcher.planning.ranktable.entry import Entry, RankEntry, Table, items, number, size, text
from launcher.planning.ranktable.violation import Findings, Path, shown
from launcher.specs.device import Level

BACKUP_LOCAL_ID: Final = 64
_MOST_RANKS: Final = 65536
_MOST_BACKUPS: Final = 16
_LONGEST_NAME: Final = 1024  # bytes, of a network or a plane
_NET_TYPES: Final = ("TOPO_FILE_DESC", "CLOS", "1DMESH", "2DMESH", "A3_SERVER", "A2_AX_SERVER")
_FORMS: Final = {"EID": "32 hexadecimal digits", "IPV4": "an IPv4 address", "IPV6": "an IPv6 address"}
_PORT = re.compile(r"[0-9]{1,3}/[0-9]{1,3}")


class RankAddress(Entry):
    """An address of a rank in a layer, the ports `die/port` behind it, and addresses of the same type in its stead."""

    addr_type: str
    addr: str
    ports: tuple[str, ...]
    plane_id: str | None = None
    backup_addr: tuple[str, ...] | None = None


class RankLevel(Entry):
    """What a rank has in one network layer."""

    net_layer: int
    net_instance_id: str
    net_type: str
    net_attr: str | None = None
    rank_addr_list: tuple[RankAddress, ...]


class ControlPlane(Entry):
    """Where the rank's process listens on its host."""

    addr_type: str
    addr: str
    listen_port: int


class Rank(Entry):
    """A rank and its device. `local_id` is the device's number in its server."""

    rank_id: int
    local_id: int
    device_id: int
    replaced_local_id: int | None = None
    device_port: int | None = None
    host_port: int | None = None
    level_list: tuple[RankLevel, ...]
    control_plane: ControlPlane | None = None


class RankTable(Table):
    """The whole table."""

    status: str = "completed"
    version: Literal["2.0"] = "2.0"
    detour: str | None = None
    rank_count: int
    rank_list: tuple[Rank, ...]


def rank_table(seats: Sequence[Seat]) -> RankTable:
    """The table of these seats, which are in rank order, whose devices each have levels."""
    return RankTable(rank_count=len(seats), rank_list=tuple(map(_rank, seats)))


def _rank(seat: Seat) -> Rank:
    device = seat.device
    return Rank(
        rank_id=seat.rank,
        local_id=device.id,
        device_id=device.id,
        device_port=device.port,
        level_list=tuple(map(_level, device.levels)),
    )


def _level(level: Level) -> RankLevel:
    return RankLevel(
        net_layer=level.net_layer,
        net_instance_id=level.net_instance_id,
        net_type=level.net_type,
        net_attr="",
        rank_addr_list=tuple(
            RankAddress(addr_type=each.type.value, addr=each.address, ports=each.ports, plane_id=each.plane_id)
            for each in level.addresses
        ),
    )


def entries(values: dict[str, Any]) -> Iterator[RankEntry]:
    """The ranks, in the order of the file.

    A server begins where the network of layer 0 changes, or where a `local_id` comes again in the same network; the
    second server of a network `pod` is called `pod#2`.
    """
    counts: dict[str, int] = {}  # the servers of each network so far
    taken: dict[str, set[int | None]] = {}  # the local ids of the last server of each
    for at, rank in items(values, "rank_list"):
        local_id, network = number(rank.get("local_id")), _network(rank)
        server = network
        if network is not None:
            if local_id in taken.get(network, ()):
                counts[network] += 1
                taken[network] = set()
            taken.setdefault(network, set()).add(local_id)
            count = counts.setdefault(network, 1)
            server = network if count == 1 else f"{network}#{count}"
        yield RankEntry(
            at=at,
            rank_at=(*at, "rank_id"),
            rank_written=rank.get("rank_id"),
            rank=number(rank.get("rank_id")),
            server=server,
            device=number(rank.get("device_id")),
            ips=(),
            values=rank,
        )


def _network(rank: dict[str, Any]) -> str | None:
    layers = (level for _, level in items(rank, "level_list") if level.get("net_layer") == 0)
    return next((text(level.get("net_instance_id")) for level in layers), None)


def check(values: dict[str, Any], found: Findings) -> None:
    """Report what this version wants beyond what all want."""
    ranks = list(items(values, "rank_list"))
    count = number(values.get("rank_count"))
    if values.get("rank_list") == []:
        found.add(rules.form.EMPTY_LIST, ("rank_list",), "rank_list is empty", name="rank_list")
    elif count is not None and count != len(ranks):
        seen = f"rank_count is {shown(count)}, and rank_list has {len(ranks)}"
        found.add(rules.levels.RANK_COUNT, ("rank_count",), seen, count=len(ranks))
    _check_range(("rank_count",), count, 1, _MOST_RANKS, found)
    if "detour" in values and (detour := text(values["detour"])) is not None:
        _check_choice(("detour",), detour, ("true", "false"), found)
    spread: dict[tuple[int, str], tuple[int, str]] = {}
    for at, rank in ranks:
        for name in ("local_id", "device_id"):
            _check_range((*at, name), number(rank.get(name)), 0, BACKUP_LOCAL_ID, found)
        _check_levels(at, rank, spread, found)
        if isinstance(plane := rank.get("control_plane"), dict):
            _check_address((*at, "control_plane"), plane, found)
            _check_range((*at, "control_plane", "listen_port"), number(plane.get("listen_port")), 1, 65535, found)
    _check_backup_npu(ranks, found)


def _check_backup_npu(ranks: Sequence[tuple[Path, dict[str, Any]]], found: Findings) -> None:
    """The backup NPU (`local_id` 64) of a table: one at most, for one that has no rank. Others stand for themselves."""
    own = {number(rank.get("local_id")) for _, rank in ranks} - {BACKUP_LOCAL_ID}
    before: Path | None = None
    for at, rank in ranks:
        local_id, replaced = number(rank.get("local_id")), number(rank.get("replaced_local_id"))
        replaced_at = (*at, "replaced_local_id")
        if local_id != BACKUP_LOCAL_ID:
            if replaced is not None and local_id is not None and replaced != local_id:
                seen = f"replaced_local_id is {shown(replaced)}, and local_id {shown(local_id)}"
                found.add(rules.levels.REPLACED, replaced_at, seen)
            continue
        if before is not None:
            found.add(rules.levels.BACKUP_NPU, (*at, "local_id"), "local_id is 64 again")
        elif "replaced_local_id" not in rank:
            found.add(rules.levels.BACKUP_NPU, (*at, "local_id"), "local_id is 64, without a replaced_local_id")
        elif replaced in own:
            seen = f"replaced_local_id is {shown(replaced)}, which has a rank itself"
            found.add(rules.levels.BACKUP_NPU, replaced_at, seen)
        else:
            _check_range(replaced_at, replaced, 0, BACKUP_LOCAL_ID - 1, found)
        before = at


def _check_levels(
    at: Path, rank: dict[str, Any], spread: dict[tuple[int, str], tuple[int, str]], found: Findings
) -> None:
    """`spread` has, for each network, how many addresses its first rank has there, and which rank that is."""
    levels = list(items(rank, "level_list", at))
    if isinstance(rank.get("level_list"), list):
        _check_length((*at, "level_list"), len(rank["level_list"]), 1, 8, "layers", found)
    before = -1
    for level_at, level in levels:
        layer, network = number(level.get("net_layer")), text(level.get("net_instance_id"))
        if layer is not None:
            _check_range((*level_at, "net_layer"), layer, 0, 7, found)
            if layer <= before or (before < 0 and layer != 0):
                after = f" after {before}" if before >= 0 else " comes first"
                found.add(rules.levels.LAYER_ORDER, (*level_at, "net_layer"), f"net_layer {layer}{after}")
            before = layer
        if network is not None:
            _check_length((*level_at, "net_instance_id"), size(network), 1, _LONGEST_NAME, "bytes", found)
        kind = text(level.get("net_type"))
        if kind is not None:
            _check_choice((*level_at, "net_type"), kind, _NET_TYPES[:1] if layer == 0 else _NET_TYPES, found)
        addresses = level.get("rank_addr_list")
        if isinstance(addresses, list):
            _check_length((*level_at, "rank_addr_list"), len(addresses), 0, 24, "addresses", found)
            if layer is not None and network is not None:
                first, owner = spread.setdefault((layer, network), (len(addresses), shown(rank.get("rank_id"))))
                if first != len(addresses):
                    seen = f"{len(addresses)} addresses, and rank {owner} has {first} there"
                    found.add(rules.levels.LEVEL_UNEVEN, (*level_at, "rank_addr_list"), seen)
        _check_addresses(level_at, level, found)


def _check_addresses(level_at: Path, level: dict[str, Any], found: Findings) -> None:
    taken: dict[str, Path] = {}
    for at, address in items(level, "rank_addr_list", level_at):
        _check_address(at, address, found)
        _check_length((*at, "plane_id"), size(text(address.get("plane_id")) or ""), 0, _LONGEST_NAME, "bytes", found)
        ports = address.get("ports")
        if not isinstance(ports, list):
            continue
        _check_length((*at, "ports"), len(ports), 1, 16, "ports", found)
        for position, port in enumerate(ports):
            port_at = (*at, "ports", position)
            if isinstance(port, str) and not _PORT.fullmatch(port):
                found.add(rules.levels.LEVEL_PORT, port_at, f"port {shown(port)}")
            elif isinstance(port, str) and taken.setdefault(port, at) != at:
                found.add(rules.levels.LEVEL_PORT_REPEATED, port_at, f"port {shown(port)} again")


def _check_address(at: Path, address: dict[str, Any], found: Findings) -> None:
    """An address with its type, in a layer or of the control plane, and those in its stead."""
    written = text(address.get("addr_type"))
    if written is None:
        return
    kind = written.upper()
    _check_choice((*at, "addr_type"), kind, tuple(_FORMS), found)
    if kind not in _FORMS:
        return
    if written != kind:
        found.add(rules.levels.ADDRESS_TYPE, (*at, "addr_type"), f"addr_type is {shown(written)}", kind=kind)
    addr = text(address.get("addr"))
    if addr is not None and not _is_address(kind, addr):
        found.add(rules.levels.LEVEL_ADDRESS, (*at, "addr"), f"addr is {shown(addr)}", kind=kind, form=_FORMS[kind])
    backups = address.get("backup_addr")
    if not isinstance(backups, list):
        return
    _check_length((*at, "backup_addr"), len(backups), 0, _MOST_BACKUPS, "addresses", found)
    for position, backup in enumerate(backups):
        if isinstance(backup, str) and (kind == "EID" or not _is_address(kind, backup)):
            backup_at = (*at, "backup_addr", position)
            found.add(rules.levels.BACKUP_ADDRESS, backup_at, f"backup_addr is {shown(backup)}", kind=kind)


def _is_address(kind: str, addr: str) -> bool:
    if kind == "EID":
        return re.fullmatch(r"[0-9a-fA-F]{32}", addr) is not None
    ip = parse_ip(addr)
    return ip is not None and f"IPV{ip.version}" == kind


def _check_range(at: Path, value: int | None, least: int, most: int, found: Findings) -> None:
    if value is not None and not least <= value <= most:
        found.add(rules.levels.RANGE, at, f"{at[-1]} is {shown(value)}", name=at[-1], least=least, most=most)


def _check_length(at: Path, length: int, least: int, most: int, unit: str, found: Findings) -> None:
    if not least <= length <= most:
        found.add(rules.levels.LENGTH, at, f"{length} {unit}", name=at[-1], least=least, most=most, unit=unit)


def _check_choice(at: Path, value: str, choices: tuple[str, ...], found: Findings) -> None:
    if value not in choices:
        found.add(rules.levels.CHOICE, at, f"{at[-1]} is {shown(value)}", name=at[-1], expected=" or ".join(choices))
