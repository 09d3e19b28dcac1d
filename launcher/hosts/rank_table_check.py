"""Whether a rank table is of these hosts: its addresses against hccn.conf and hccn_tool, its devices against /dev.

An address is said in three places: in the table, in `/etc/hccn.conf`, which is what the port gets at the next start of
the host, and by `hccn_tool -i N -ip -g`, which is what the port has now. Where two agree, the third is the odd one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from launcher.hosts.report import HostReport, Npu
from launcher.planning.ranktable.addresses import same_ip
from launcher.planning.ranktable.entry import RankEntry
from launcher.planning.ranktable.formats import RankTable, TableFormat, format_of
from launcher.planning.ranktable.reading import ranks_of
from launcher.planning.ranktable.violation import path_text
from launcher.planning.topology import Severity
from launcher.specs import Host

TABLE: Final = "rank table"
CONF: Final = "hccn.conf"
TOOL: Final = "hccn_tool"
NODES: Final = "/dev"
NPU_SMI: Final = "npu-smi"


@dataclass(frozen=True)
class Mismatch:
    """Something that the table and its host do not agree about.

    `said` is what each source says (None: nothing, though it could be asked); `odd` names those that differ from what
    two others say, and is empty where no two agree. `codes` and `says` are what HCCL reports; empty where it does not
    notice.
    """

    severity: Severity
    host: str
    device: int | None
    rank: int | None
    path: str
    seen: str
    said: tuple[tuple[str, str | None], ...]
    odd: tuple[str, ...]
    codes: tuple[str, ...]
    says: str
    remedy: str

    @property
    def is_refused(self) -> bool:
        """Whether HCCL would not start."""
        return self.severity is Severity.REFUSED


def compare_with_hosts(
    table: RankTable, hosts: Sequence[Host], reports: Mapping[str, HostReport]
) -> tuple[Mismatch, ...]:
    """All that table and hosts do not agree about, in the order of ranks.

    `reports` are by name of host; of a host without a report nothing is said.
    """
    find = _finder(table, hosts)
    owners = {same_ip(port.ip): (host, npu.id) for host, npu in _npus(reports) if (port := npu.port) and port.ip}
    found: list[Mismatch] = []
    strangers: set[str | None] = set()
    for entry in ranks_of(table):
        host = find(entry)
        if host is None:
            if entry.server not in strangers:
                strangers.add(entry.server)
                found.append(_stranger(entry))
        elif (report := reports.get(host.name)) is not None and entry.device is not None:
            found += _of_device(entry, entry.device, report, owners)
    return tuple(found)


def hosts_of(table: RankTable, hosts: Sequence[Host]) -> tuple[Host, ...]:
    """Those hosts that have a rank in the table, in their own order."""
    find = _finder(table, hosts)
    names = {host.name for entry in ranks_of(table) if (host := find(entry))}
    return tuple(host for host in hosts if host.name in names)


def _npus(reports: Mapping[str, HostReport]) -> Iterator[tuple[str, Npu]]:
    return ((name, npu) for name, report in reports.items() for npu in report.npus)


def _finder(table: RankTable, hosts: Sequence[Host]) -> Callable[[RankEntry], Host | None]:
    """What gives the host of a rank: several hosts, as containers, may be one server; then the one with the device."""
    of_server: dict[str | None, list[Host]] = {}
    is_levels = format_of(table) is TableFormat.V2_0
    for host in hosts:
        levels = (level for device in host.device_list for level in device.levels if level.net_layer == 0)
        names = {level.net_instance_id for level in levels} if is_levels else {host.machine, host.address, host.name}
        for name in {same_ip(name) for name in names}:
            of_server.setdefault(name, []).append(host)

    def find(entry: RankEntry) -> Host | None:
        own = of_server.get(same_ip(entry.server), [])
        if len(own) > 1:
            own = [host for host in own if any(device.id == entry.device for device in host.device_list)] or own
        return own[0] if own else None

    return find


def _stranger(entry: RankEntry) -> Mismatch:
    return Mismatch(
        Severity.WARNING,
        host="",
        device=entry.device,
        rank=entry.rank,
        path=path_text(entry.at),
        seen=f"server {entry.server} is no host of the cluster",
        said=((TABLE, entry.server),),
        odd=(),
        codes=(),
        says="",
        remedy="name the cluster that the table is of, or give the host its server_id there",
    )


def _of_device(
    entry: RankEntry, device: int, report: HostReport, owners: Mapping[str | None, tuple[str, int]]
) -> Iterator[Mismatch]:
    npu = next((npu for npu in report.npus if npu.id == device), None)
    if device not in report.device_nodes or (report.npus and npu is None):
        yield _invisible(entry, device, npu is not None, report)
        return
    if npu is not None and (sdid := npu.super_device_id) is not None:
        written = entry.values.get("super_device_id")
        if written is not None and written != sdid:
            yield Mismatch(
                Severity.REFUSED,
                report.host,
                device,
                entry.rank,
                path_text((*entry.at, "super_device_id")),
                f"device {device} of {report.host}: the rank table has super_device_id {written}, npu-smi {sdid}",
                ((TABLE, str(written)), (NPU_SMI, sdid)),
                (),
                ("EI0014",),
                "",
                f"write {sdid}, which `npu-smi info -t spod-info -i {npu.card} -c {npu.chip}` prints",
            )
    yield from _addresses(entry, device, npu, report, owners)


def _invisible(entry: RankEntry, device: int, is_listed: bool, report: HostReport) -> Mismatch:
    has_node = device in report.device_nodes
    said = [(TABLE, f"device {device}"), (NODES, f"davinci{device}" if has_node else None)]
    smi_is_understood = not any(unread.source.startswith("npu-smi") for unread in report.unread)
    if is_listed or smi_is_understood:
        said.append((NPU_SMI, f"device {device}" if is_listed else None))
    odd: tuple[str, ...]
    if is_listed:
        seen, odd = f"npu-smi knows device {device} of {report.host}, and /dev/davinci{device} is not there", (NODES,)
        remedy = f"give the container --device=/dev/davinci{device}, or mend the driver"
    elif has_node:
        seen, odd = f"/dev/davinci{device} of {report.host} is there, and npu-smi does not know the device", (NPU_SMI,)
        remedy = "npu-smi info -l; the device may have dropped off the bus: see `dmesg`"
    else:
        there = ",".join(map(str, report.device_nodes)) or "none"
        seen = f"{report.host} has no device {device} (/dev/davinciN: {there})"
        odd = (TABLE,) if smi_is_understood else ()
        remedy = f"use devices that the host has, or give its container --device=/dev/davinci{device}"
    return Mismatch(
        Severity.REFUSED,
        report.host,
        device,
        entry.rank,
        path_text((*entry.at, "device_id")),
        seen,
        tuple(said),
        odd,
        ("EI0004",),
        "The ranktable config devId is inconsistent with the local devId.",
        remedy,
    )


def _addresses(
    entry: RankEntry, device: int, npu: Npu | None, report: HostReport, owners: Mapping[str | None, tuple[str, int]]
) -> Iterator[Mismatch]:
    """What the sources that could be asked say of the device's address, when they do not all say the same."""
    said: dict[str, str | None] = {}
    if entry.ips:
        said[TABLE] = entry.ips[0]
    if report.hccn_conf:
        said[CONF] = report.hccn_conf.get(device)
    if npu is not None and npu.port is not None:
        said[TOOL] = npu.port.ip
    groups: dict[str | None, list[str]] = {}
    for source, ip in said.items():
        groups.setdefault(same_ip(ip), []).append(source)
    if len(groups) < 2:
        return
    most = max(groups.values(), key=len)
    odd = tuple(source for sources in groups.values() if sources is not most for source in sources)
    odd = odd if len(most) > 1 else ()
    against_port = TABLE in said and TOOL in said and same_ip(said[TABLE]) != same_ip(said[TOOL])
    words = ", ".join(f"{source} {ip or 'none'}" for source, ip in said.items())
    owner = owners.get(same_ip(said.get(TABLE)))
    hint = f"; {said[TABLE]} is that of device {owner[1]} of {owner[0]}" if against_port and owner else ""
    who = f"; {' and '.join(odd)} is the odd one" if odd else "; no two agree" if len(said) > 2 else ""
    yield Mismatch(
        Severity.REFUSED if against_port else Severity.WARNING,
        report.host,
        device,
        entry.rank,
        path_text((*entry.at, "device_ip")),
        f"device {device} of {report.host}: {words}{who}{hint}",
        tuple(said.items()),
        odd,
        ("EI0014",) if against_port else (),
        f"the IP address({said[TABLE]}) in the ranktable is inconsistent with the IP({said[TOOL] or ''})address of the "
        "network adapter"
        if against_port
        else "",
        _remedy(device, said, odd),
    )


def _remedy(device: int, said: Mapping[str, str | None], odd: tuple[str, ...]) -> str:
    if odd == (TABLE,):
        return f"write {said[TOOL]} into the rank table" if said[TOOL] else "remove the address from the rank table"
    if odd == (TOOL,) and said.get(CONF):
        return f"hccn_tool -i {device} -ip -s address {said[CONF]} netmask M, with the netmask M of that network"
    if odd == (CONF,):
        return f"write address_{device}={said[TOOL]} into /etc/hccn.conf: at the next start the port gets what is there"
    return f"look at `hccn_tool -i {device} -ip -g`, decide which address is right, and write it everywhere"
