"""What every format wants: ranks from 0 without a gap, devices and addresses of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from launcher.planning.ranktable import rules
from launcher.planning.ranktable.addresses import parse_ip, same_ip, split_ips
from launcher.planning.ranktable.entry import RankEntry, number, text
from launcher.planning.ranktable.violation import Findings, Path, shown
from launcher.specs.counted import counted

_NAMED = 10


def check_ranks(entries: Sequence[RankEntry], list_at: Path, found: Findings) -> None:
    """Report ranks that are no numbers, come twice, are not of the table's size, or leave gaps."""
    size, words = len(entries), {"size": len(entries), "last": len(entries) - 1}
    owners: dict[int, RankEntry] = {}
    unreadable = 0
    for entry in entries:
        if entry.rank is None:
            unreadable += 1
            _check_text(rules.members.RANK_TEXT, entry.rank_written, entry.rank_at, found)
        elif (owner := owners.setdefault(entry.rank, entry)) is not entry:
            seen = f"rank_id {shown(entry.rank)} again, which {_whose(owner)} has"
            found.add(rules.members.RANK_REPEATED, entry.rank_at, seen)
        elif not 0 <= entry.rank < size:
            seen = f"rank_id {shown(entry.rank)} in a table of {counted(size, 'rank')}"
            found.add(rules.members.RANK_BEYOND, entry.rank_at, seen, **words)
    missing = [rank for rank in range(size) if rank not in owners]
    if missing and not unreadable:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        names = f"{'rank' if len(missing) == 1 else 'ranks'} {', '.join(map(str, missing[:_NAMED]))}{more}"
        found.add(rules.members.RANK_MISSING, list_at, f"no {names} among {counted(size, 'rank')}", **words)


def check_order(entries: Iterable[RankEntry], found: Findings) -> None:
    """Report ranks that alternate between servers, and servers that are not in the order of their names."""
    ordered = sorted((entry for entry in entries if entry.rank is not None), key=lambda entry: entry.rank or 0)
    servers: dict[str, int] = {}
    before: str | None = None
    told = False
    for entry in ordered:
        server = entry.server
        if server is None or server == before:
            continue
        if server in servers:
            seen = f"{_whose(entry)} is on {shown(server)} as rank {servers[server]} is, with {shown(before)} between"
            found.add(rules.members.INTERLEAVED, entry.rank_at, seen)
        elif before is not None and server < before and not told:
            told = True
            seen = f"{_whose(entry)} begins server {shown(server)}, after {shown(before)}"
            found.add(rules.members.SERVER_ORDER, entry.rank_at, seen)
        servers[server] = entry.rank or 0
        before = server


def check_devices(entries: Iterable[RankEntry], limit: int | None, found: Findings) -> None:
    """Report device ids that are no numbers, from `limit` up, or that come twice on a server."""
    owners: dict[tuple[str | None, int], RankEntry] = {}
    for entry in entries:
        at = (*entry.at, "device_id")
        if entry.device is None:
            _check_text(rules.members.DEVICE_TEXT, entry.values.get("device_id"), at, found)
        elif limit is not None and entry.device >= limit:
            value = shown(entry.device)
            found.add(rules.members.DEVICE_BEYOND, at, f"device_id is {value}", value=value, last=limit - 1)
        elif (owner := owners.setdefault((entry.server, entry.device), entry)) is not entry:
            ports = {text(owner.values.get("device_port")), text(entry.values.get("device_port"))}
            is_meant = None not in ports and len(ports) == 2
            rule = rules.members.DEVICE_SHARED if is_meant else rules.members.DEVICE_REPEATED
            found.add(rule, at, f"device_id {entry.device} again, which {_whose(owner)} has")


def check_addresses(entries: Sequence[RankEntry], found: Findings) -> None:
    """Report addresses that are none, come twice, are of two families or not as many on each device."""
    owners: dict[str, tuple[RankEntry, int]] = {}
    first_family: tuple[int, RankEntry] | None = None
    counts = [len(entry.ips) or 1 for entry in entries]  # a device without an address counts as one to HCCL
    is_one_server = len({entry.server for entry in entries}) < 2
    for entry, count in zip(entries, counts, strict=True):
        at = (*entry.at, "device_ip")
        if count != counts[0]:
            seen = f"{counted(count, 'address', 'addresses')}, and {_whose(entries[0])} has {counts[0]}"
            found.add(rules.addresses.IP_COUNT, at, seen, rank=entry.rank, count=count, first=counts[0])
        for position, ip in enumerate(entry.ips):
            address = parse_ip(ip)
            if address is None:
                found.add(rules.addresses.IP_INVALID, at, f"device_ip is {shown(ip)}")
                continue
            owner, first = owners.setdefault(str(address), (entry, position))
            if owner is not entry or first != position:
                found.add(rules.addresses.IP_REPEATED, at, f"device_ip {ip} again, which {_whose(owner)} has")
            if address.is_unspecified or address.is_loopback or address.is_multicast:
                found.add(rules.addresses.IP_UNUSABLE, at, f"device_ip is {ip}")
            if first_family is None:
                first_family = (address.version, entry)
            elif address.version != first_family[0]:
                rule = rules.addresses.IP_FAMILY_ONE_SERVER if is_one_server else rules.addresses.IP_FAMILY
                seen = f"device_ip {ip} is IPv{address.version}, that of {_whose(first_family[1])} IPv{first_family[0]}"
                found.add(rule, at, seen, rank=entry.rank, own=_enum(address.version), others=_enum(first_family[0]))


def check_missing_addresses(entries: Sequence[RankEntry], pods: int, found: Findings) -> None:
    """Report devices without the address that HCCL needs between servers.

    `pods` is the number of super pods: inside a single one the address is needed only where HCCS is switched off.
    """
    lacking = [entry for entry in entries if not entry.ips and isinstance(entry.values.get("device_ip", ""), str)]
    servers = len({entry.server for entry in entries})
    if servers > 1 and pods != 1:
        between = "between super pods" if pods else "between servers"
        for entry in lacking:
            found.add(rules.addresses.IP_MISSING, (*entry.at, "device_ip"), "no device_ip", between=between)
    elif servers > 1 and lacking:
        seen = f"{counted(len(lacking), 'device')} without device_ip"
        found.add(rules.addresses.IP_MISSING_IN_POD, (*lacking[0].at, "device_ip"), seen)
    elif 0 < len(lacking) < len(entries):
        for entry in lacking:
            found.add(rules.addresses.IP_PARTIAL, (*entry.at, "device_ip"), "no device_ip")


def check_ports(entries: Iterable[RankEntry], found: Findings) -> None:
    """Report ports out of range, and host ports that two devices of a server share."""
    owners: dict[tuple[str | None, int], RankEntry] = {}
    for entry in entries:
        for name in ("device_port", "device_vnic_port", "backup_device_port", "host_port"):
            if name not in entry.values:
                continue
            at, written = (*entry.at, name), entry.values[name]
            port = number(written)
            if port is None and not isinstance(written, str):
                continue  # of a wrong type, which is said already
            if port is None or not 1 <= port <= 65535:
                found.add(rules.addresses.PORT, at, f"{name} is {shown(written)}", value=shown(written), name=name)
                continue
            if port < 1024:
                found.add(rules.addresses.SYSTEM_PORT, at, f"{name} is {port}")
            if name == "host_port" and (owner := owners.setdefault((entry.server, port), entry)) is not entry:
                found.add(rules.addresses.HOST_PORT_REPEATED, at, f"host_port {port} again, which {_whose(owner)} has")


def check_backups(entries: Sequence[RankEntry], found: Findings) -> None:
    """Report backup addresses that are not those of the other die of the same NPU (devices 0 and 1, 2 and 3, ...)."""
    owners = {same_ip(ip): entry for entry in entries for ip in entry.ips}
    taken: dict[str | None, RankEntry] = {}
    for entry in entries:
        if entry.device is None:
            continue
        at = (*entry.at, "backup_device_ip")
        for ip in split_ips(entry.values.get("backup_device_ip")):
            other = owners.get(same_ip(ip))
            if parse_ip(ip) is None:
                found.add(rules.addresses.IP_INVALID, at, f"backup_device_ip is {shown(ip)}")
            elif (owner := taken.setdefault(same_ip(ip), entry)) is not entry:
                found.add(rules.addresses.IP_REPEATED, at, f"backup_device_ip {ip} again, which {_whose(owner)} has")
            elif other is None:
                seen = f"backup_device_ip {ip} is no device_ip of the table"
                found.add(rules.addresses.BACKUP_UNKNOWN, at, seen, value=ip)
            elif other is entry:
                found.add(rules.addresses.BACKUP_OWN, at, f"backup_device_ip {ip} is the device's own")
            elif other.server != entry.server or other.device != entry.device ^ 1:
                words: dict[str, Any] = {"device": entry.device, "backup": other.device, "pair": entry.device ^ 1}
                seen = f"backup_device_ip {ip} is that of {_whose(other)}, on device {other.device}"
                found.add(rules.addresses.BACKUP_NOT_PAIR, at, seen, **words)
            elif (port := entry.values.get("backup_device_port")) and port == other.values.get("device_port"):
                seen = f"{ip} has port {shown(port)} as device_port and as backup_device_port"
                found.add(rules.addresses.BACKUP_PORT, (*entry.at, "backup_device_port"), seen, value=port)


def _check_text(rule: rules.Rule, written: Any, at: Path, found: Findings) -> None:
    """Report a text that is no number; a value of another type, or none, is said already."""
    if isinstance(written, str):
        found.add(rule, at, f"{at[-1]} is {shown(written)}", value=written[:80])


def _whose(entry: RankEntry) -> str:
    return f"rank {shown(entry.rank)}" if entry.rank is not None else f"device {entry.device} of {shown(entry.server)}"


def _enum(version: int) -> int:
    """AF_INET and AF_INET6, as HCCL prints them."""
    return 2 if version == 4 else 10
