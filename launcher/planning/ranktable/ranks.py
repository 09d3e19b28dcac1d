"""What every format wants: ranks from 0 without a gap, devices and addresses of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from launcher.planning.ranktable import rules
from launcher.planning.ranktable.addresses import parse_ip
from launcher.planning.ranktable.entry import RankEntry, number, text
from launcher.planning.ranktable.violation import Findings, Path, Rule, shown

_NAMED = 10


def check_ranks(entries: Sequence[RankEntry], list_at: Path, found: Findings) -> None:
    """Report ranks that are no numbers, come twice, or leave gaps."""
    size, words = len(entries), {"size": len(entries), "last": len(entries) - 1}
    owners: dict[int, RankEntry] = {}
    unreadable = 0
    for entry in entries:
        if entry.rank is None:
            unreadable += 1
            _check_text(rules.RANK_TEXT, entry.rank_written, entry.rank_at, found)
        elif (owner := owners.setdefault(entry.rank, entry)) is not entry:
            found.add(rules.RANK_REPEATED, entry.rank_at, f"rank_id {entry.rank} again, which {_whose(owner)} has")
        elif entry.rank >= size:
            seen = f"rank_id {entry.rank} in a table of {_count(size, 'rank')}"
            found.add(rules.RANK_BEYOND, entry.rank_at, seen, **words)
    missing = [rank for rank in range(size) if rank not in owners]
    if missing and not unreadable:
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        names = f"{'rank' if len(missing) == 1 else 'ranks'} {', '.join(map(str, missing[:_NAMED]))}{more}"
        found.add(rules.RANK_MISSING, list_at, f"no {names} among {_count(size, 'rank')}", **words)


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
            last = f"rank {entry.rank} is on {shown(server)} as rank {servers[server]} is, with {shown(before)} between"
            found.add(rules.INTERLEAVED, entry.rank_at, last)
        elif before is not None and server < before and not told:
            told = True
            seen = f"rank {entry.rank} begins server {shown(server)}, after {shown(before)}"
            found.add(rules.SERVER_ORDER, entry.rank_at, seen)
        servers[server] = entry.rank or 0
        before = server


def check_devices(entries: Iterable[RankEntry], limit: int, found: Findings) -> None:
    """Report device ids that are no numbers, beyond those of a server, or that come twice on one."""
    owners: dict[tuple[str | None, int], RankEntry] = {}
    for entry in entries:
        at = (*entry.at, "device_id")
        if entry.device is None:
            _check_text(rules.DEVICE_TEXT, entry.values.get("device_id"), at, found)
        elif entry.device >= limit:
            seen = f"device_id is {entry.device}"
            found.add(rules.DEVICE_BEYOND, at, seen, value=entry.device, last=limit - 1)
        elif (owner := owners.setdefault((entry.server, entry.device), entry)) is not entry:
            ports = {text(owner.values.get("device_port")), text(entry.values.get("device_port"))}
            rule = rules.DEVICE_SHARED if None not in ports and len(ports) == 2 else rules.DEVICE_REPEATED
            found.add(rule, at, f"device_id {entry.device} again, which {_whose(owner)} has")


def check_addresses(entries: Sequence[RankEntry], found: Findings) -> None:
    """Report addresses that are none, come twice, are of two families or not as many on each device."""
    owners: dict[str, RankEntry] = {}
    first_family: tuple[int, RankEntry] | None = None
    counts = [len(entry.ips) or 1 for entry in entries]  # a device without an address counts as one to HCCL
    is_one_server = len({entry.server for entry in entries}) < 2
    for entry, count in zip(entries, counts, strict=True):
        at = (*entry.at, "device_ip")
        if count != counts[0]:
            seen = f"{_count(count, 'address', 'addresses')}, and {_whose(entries[0])} has {counts[0]}"
            found.add(rules.IP_COUNT, at, seen, rank=entry.rank, count=count, first=counts[0])
        for ip in entry.ips:
            address = parse_ip(ip)
            if address is None:
                found.add(rules.IP_INVALID, at, f"device_ip is {shown(ip)}")
                continue
            owner = owners.setdefault(str(address), entry)
            if owner is not entry:
                found.add(rules.IP_REPEATED, at, f"device_ip {ip} again, which {_whose(owner)} has")
            if first_family is None:
                first_family = (address.version, entry)
            elif address.version != first_family[0]:
                rule = rules.IP_FAMILY_ONE_SERVER if is_one_server else rules.IP_FAMILY
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
            found.add(rules.IP_MISSING, (*entry.at, "device_ip"), "no device_ip", between=between)
    elif servers > 1 and lacking:
        seen = f"{_count(len(lacking), 'device')} without device_ip"
        found.add(rules.IP_MISSING_IN_POD, (*lacking[0].at, "device_ip"), seen)
    elif 0 < len(lacking) < len(entries):
        for entry in lacking:
            found.add(rules.IP_PARTIAL, (*entry.at, "device_ip"), "no device_ip")


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
                found.add(rules.PORT, at, f"{name} is {shown(written)}", value=shown(written), name=name)
                continue
            if port < 1024:
                found.add(rules.SYSTEM_PORT, at, f"{name} is {port}")
            if name == "host_port" and (owner := owners.setdefault((entry.server, port), entry)) is not entry:
                found.add(rules.HOST_PORT_REPEATED, at, f"host_port {port} again, which {_whose(owner)} has")


def check_backups(entries: Sequence[RankEntry], found: Findings) -> None:
    """Report backup addresses that are not those of the other die of the same NPU (devices 0 and 1, 2 and 3, ...)."""
    owners = {ip: entry for entry in entries for ip in entry.ips}
    taken: dict[str, RankEntry] = {}
    for entry in entries:
        written = entry.values.get("backup_device_ip")
        if not isinstance(written, str) or not written or entry.device is None:
            continue
        at = (*entry.at, "backup_device_ip")
        for ip in written.split(","):
            other = owners.get(ip)
            if parse_ip(ip) is None:
                found.add(rules.IP_INVALID, at, f"backup_device_ip is {shown(ip)}")
            elif (owner := taken.setdefault(ip, entry)) is not entry:
                found.add(rules.IP_REPEATED, at, f"backup_device_ip {ip} again, which {_whose(owner)} has")
            elif other is None:
                found.add(rules.BACKUP_UNKNOWN, at, f"backup_device_ip {ip} is no device_ip of the table", value=ip)
            elif other is entry:
                found.add(rules.BACKUP_OWN, at, f"backup_device_ip {ip} is the device's own")
            elif other.server != entry.server or other.device != entry.device ^ 1:
                words: dict[str, Any] = {"device": entry.device, "backup": other.device, "pair": entry.device ^ 1}
                seen = f"backup_device_ip {ip} is that of {_whose(other)}, on device {other.device}"
                found.add(rules.BACKUP_NOT_PAIR, at, seen, **words)
            elif (port := entry.values.get("backup_device_port")) and port == other.values.get("device_port"):
                seen = f"{ip} has port {shown(port)} as device_port and as backup_device_port"
                found.add(rules.BACKUP_PORT, (*entry.at, "backup_device_port"), seen, value=port)


def _check_text(rule: Rule, written: Any, at: Path, found: Findings) -> None:
    """Report a text that is no number; a value of another type, or none, is said already."""
    if isinstance(written, str):
        found.add(rule, at, f"{at[-1]} is {shown(written)}", value=written[:80])


def _whose(entry: RankEntry) -> str:
    return f"rank {entry.rank}" if entry.rank is not None else f"device {entry.device} of {shown(entry.server)}"


def _enum(version: int) -> int:
    """AF_INET and AF_INET6, as HCCL prints them."""
    return 2 if version == 4 else 10


def _count(count: int, noun: str, plural: str = "") -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {plural or noun + 's'}"
