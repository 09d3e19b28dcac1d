"""Everything that HCCL would refuse in a rank table, all of it at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from launcher.planning.ranktable import concise, legacy, legacy_lab, rules, v1_0, v1_2, v2_0
from launcher.planning.ranktable.entry import RankEntry, Table, check_shape, items
from launcher.planning.ranktable.entry import text as text_of
from launcher.planning.ranktable.formats import FITTING, TableFormat, format_of
from launcher.planning.ranktable.ranks import (
    check_addresses,
    check_backups,
    check_devices,
    check_missing_addresses,
    check_order,
    check_ports,
    check_ranks,
)
from launcher.planning.ranktable.source import NotJson, parse, places
from launcher.planning.ranktable.violation import Findings, Path, Violation, shown
from launcher.planning.topology import device_findings
from launcher.specs.servers import Server
from launcher.specs.soc import Family, device_limit, family_of

LARGEST: Final = 1 << 30


@dataclass(frozen=True)
class Layout:
    """One format: its model, the list that has its ranks, how they are read from it and what it wants of its own.

    `soc` is a chip that such a table is for in any case.
    """

    model: type[Table]
    ranks_at: Path
    entries: Callable[[dict[str, Any]], Iterator[RankEntry]]
    check: Callable[[dict[str, Any], Findings], None]
    soc: str | None


_SERVERS: Final[Path] = ("server_list",)
_GROUPS: Final[Path] = ("group_list",)
LAYOUTS: Final[Mapping[TableFormat, Layout]] = {
    TableFormat.V1_0: Layout(v1_0.RankTable, _SERVERS, concise.entries, v1_0.check, None),
    TableFormat.V1_2: Layout(v1_2.RankTable, _SERVERS, concise.entries, v1_2.check, "Ascend910_9391"),
    TableFormat.V2_0: Layout(v2_0.RankTable, ("rank_list",), v2_0.entries, v2_0.check, "Ascend950PR"),
    TableFormat.LEGACY: Layout(legacy.RankTable, _GROUPS, legacy.entries, legacy.check, "Ascend910A"),
    TableFormat.LEGACY_LAB: Layout(legacy_lab.RankTable, _GROUPS, legacy_lab.entries, legacy_lab.check, "Ascend910A"),
}


def check_table(
    content: str | bytes, *, soc: str | None = None, server: Server | None = None, cann_version: str | None = None
) -> tuple[Violation, ...]:
    """All violations of a table, in the order of its text.

    The chip decides which devices a job may have; version 1.0 does not say it, so that without `soc` nothing is said of
    that. Time and memory are linear in the length of the text.
    """
    found = Findings()
    text = _decoded(content, found)
    if text is None:
        return found.located({(): (1, 1)})
    try:
        values = parse(text)
    except NotJson as error:
        rule = rules.form.COMMENT if error.has_comment else rules.form.NOT_JSON
        found.add(rule, (), "the file is empty" if not text.strip() else error.reason)
        return found.located({(): (error.line, error.column)})
    if not isinstance(values, dict):
        found.add(rules.form.SHAPE, (), f"the table is {shown(values)}", expected="an object")
    else:
        _check_values(text, values, found, soc, server, cann_version)
    return found.located(places(text, {path for _, path, _, _ in found.found}))


def _decoded(content: str | bytes, found: Findings) -> str | None:
    if len(content) > LARGEST:
        found.add(rules.form.FILE_TOO_LARGE, (), f"{len(content)} bytes")
        return None
    try:
        text = content if isinstance(content, str) else content.decode()
    except UnicodeDecodeError as error:
        found.add(
            rules.form.NOT_TEXT, (), f"byte {error.start + 1} is 0x{error.object[error.start]:02x}, which is not UTF-8"
        )
        return None
    if text.startswith("\ufeff"):
        found.add(rules.form.BYTE_ORDER_MARK, (), "a byte order mark")
        return text[1:]
    return text


def _check_values(
    text: str, values: dict[str, Any], found: Findings, soc: str | None, server: Server | None, cann: str | None
) -> None:
    version = values.get("version", "")
    format = format_of(values)
    if not isinstance(version, str):
        found.add(rules.form.NOT_STRING, ("version",), f"version is {shown(version)}", name="version")
        format = format_of({**values, "version": str(version)})
    if format is None:
        meaning = " (CPU and NPU together, which is not for training)" if version == "1.1" else ""
        found.add(rules.form.VERSION, ("version",), f"version is {shown(version)}{meaning}")
    status = values.get("status")
    if isinstance(status, str) and status != "completed":
        rule = rules.form.STATUS_UNREAD if format is TableFormat.V2_0 else rules.form.STATUS
        found.add(rule, ("status",), f"status is {shown(status)}")
    if format in (TableFormat.LEGACY, TableFormat.LEGACY_LAB) and "group_list" not in values:
        found.add(rules.form.NO_VERSION, (), "neither version nor group_list")
        format = _told_by_keys(values)
    if format is None:
        return
    layout = LAYOUTS[format]
    _check_fit(format, soc, found)
    if isinstance(version, str):
        check_shape(layout.model, text, values, found)
    layout.check(values, found)
    entries = list(layout.entries(values))
    check_ranks(entries, layout.ranks_at, found)
    if format is not TableFormat.V2_0:  # whose servers have no names, so that their order is nobody's concern
        check_order(entries, found)
    _check_devices(format, entries, soc or layout.soc, found)
    check_ports(entries, found)
    if format is not TableFormat.V2_0:
        check_addresses(entries, found)
        check_missing_addresses(entries, len(list(items(values, "super_pod_list"))), found)
        _check_host_network(values, entries, found)
    if format in (TableFormat.V1_0, TableFormat.V1_2):
        check_backups(entries, found)
    if soc or layout.soc:
        _check_topology(layout, entries, soc or str(layout.soc), server, cann, found)


def _told_by_keys(values: dict[str, Any]) -> TableFormat | None:
    """The version that was left out, as far as the keys tell it."""
    if "rank_list" in values:
        return TableFormat.V2_0
    if "server_list" in values:
        return TableFormat.V1_2 if "super_pod_list" in values else TableFormat.V1_0
    return None


def _check_fit(format: TableFormat, soc: str | None, found: Findings) -> None:
    """The parsers of 2.0 and of the others are not the same; what a chip does not need, its parser mostly ignores."""
    family = family_of(soc) if soc else None
    fitting = FITTING.get(family) if family else None
    if fitting is not None and format not in fitting:
        is_refused = TableFormat.V2_0 in (format, *fitting)
        rule = rules.form.VERSION_MISFIT if is_refused else rules.form.VERSION_UNUSUAL
        names = " or ".join(each.value for each in fitting)
        at: Path = ("version",) if format in (TableFormat.V1_0, TableFormat.V1_2, TableFormat.V2_0) else ()
        found.add(rule, at, f"rank table {format.value} for {soc}", fitting=names)


def _check_devices(format: TableFormat, entries: Sequence[RankEntry], soc: str | None, found: Findings) -> None:
    """HCCL's parser of the legacy container form takes no device beyond 7, whatever the chip."""
    limit: int | None
    if format is TableFormat.V2_0:
        limit = None  # which 2.0 has a rule of its own for
    elif format is TableFormat.LEGACY or (soc and family_of(soc) is Family.ASCEND910):
        limit = 8
    else:
        limit = device_limit(soc) if soc else 16
    check_devices(entries, limit, found)


def _check_host_network(values: dict[str, Any], entries: Sequence[RankEntry], found: Findings) -> None:
    hosts = {text_of(server.get("server_id")) for _, server in items(values, "server_list") if server.get("host_ip")}
    if entries and not entries[0].ips and entries[0].server in hosts - {None}:
        seen = f"server {shown(entries[0].server)} has a host_ip, and no device_ip"
        found.add(rules.servers.HOST_NETWORK, entries[0].at, seen)


def _check_topology(
    layout: Layout, entries: Sequence[RankEntry], soc: str, server: Server | None, cann: str | None, found: Findings
) -> None:
    devices: dict[str, list[int]] = {}
    begins: dict[str, Path] = {"": layout.ranks_at}
    for entry in entries:
        if entry.device is not None and entry.server is not None:
            devices.setdefault(entry.server, []).append(entry.device)
            begins.setdefault(entry.server, entry.at[:2] if entry.at[0] == "server_list" else entry.at)
    for misfit in device_findings(devices, soc, server, cann):
        rule = rules.members.TOPOLOGY if misfit.is_refused else rules.members.TOPOLOGY_ADVICE
        words = {"rule": misfit.rule, "remedy": misfit.remedy, "source": misfit.source}
        found.add(replace(rule, codes=misfit.codes), begins[misfit.server], misfit.seen, **words)
