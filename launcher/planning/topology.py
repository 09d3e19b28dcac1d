"""Which devices one job may have: the rules of rings, modules and pairs, and of the size of a cluster.

Sources: the Ascend TensorFlow migration guide, resource configuration, for the first Ascend 910; HCCL itself
(cann-hccl, config.cc) where it counts the devices of each server; MindCluster's tables of node affinity
(Ascend/mind-cluster, volcano.md), which are a scheduler's and not HCCL's: what they alone say is a warning.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from launcher.planning.placement import Seat
from launcher.specs import Cluster
from launcher.specs.counted import counted
from launcher.specs.servers import SERVERS, Allocation, Server
from launcher.specs.soc import Family, family_of

_MIGRATION: Final = "Ascend TensorFlow migration guide, resource configuration"
_AFFINITY: Final = "Ascend/mind-cluster, volcano.md"
_COUNTING: Final = "cann-hccl, config.cc: CheckDeviceNumValid"
_PCIE: Final = "HCCL user guide, HCCL_INTRA_PCIE_ENABLE"
_BOX16: Final = SERVERS["atlas-200t-a2-box16"]

# The server that a chip is taken to be in where the cluster names none.
_USUAL: Final[Mapping[Family, Server]] = {
    Family.ASCEND910: SERVERS["atlas-800-9000"],
    Family.ASCEND910_93: SERVERS["atlas-800t-a3"],
}
_MOST_SERVERS: Final[Mapping[Family, int]] = {Family.ASCEND910: 512, Family.ASCEND910B: 1152}


class Severity(str, Enum):
    """REFUSED: the job does not start so. WARNING: it does, or no public source says that it does not."""

    REFUSED = "refused"
    WARNING = "warning"


@dataclass(frozen=True)
class Misfit:
    """A rule that the devices of a job break: on one server, or on all of them together, where `server` is empty.

    `codes` is what HCCL reports, that of older CANN first; empty where no source says it.
    """

    severity: Severity
    server: str
    devices: tuple[int, ...]
    seen: str
    rule: str
    remedy: str
    source: str
    codes: tuple[str, ...] = ()

    @property
    def is_refused(self) -> bool:
        """Whether the job cannot run so, as far as is known."""
        return self.severity is Severity.REFUSED


def topology_findings(seats: Sequence[Seat], cluster: Cluster, cann_version: str | None = None) -> tuple[Misfit, ...]:
    """Whether a job may have the devices of these seats; nothing on CPU. `cann_version` is as in `8.0.RC3`."""
    devices: dict[str, list[int]] = {}
    for seat in seats:
        devices.setdefault(seat.host.machine, []).append(seat.device.id)
    return device_findings(devices, cluster.soc, SERVERS.get(cluster.server or ""), cann_version)


def device_findings(
    devices: Mapping[str, Sequence[int]], soc: str, server: Server | None = None, cann_version: str | None = None
) -> tuple[Misfit, ...]:
    """Whether a job may have these devices of each server; a chip that no rule is known of may have all."""
    family = family_of(soc)
    if family is None or family is Family.CPU:
        return ()
    found: list[Misfit] = []
    for name, ids in devices.items():
        unique = tuple(sorted(set(ids)))
        preset = server or _likely_server(family, unique)
        if preset is not None:
            found += _on_server(name, unique, preset, is_alone=len(devices) == 1)
    if len(devices) > 1:
        found += _across_servers(family, {name: len(set(ids)) for name, ids in devices.items()}, cann_version)
    return tuple(found)


def _likely_server(family: Family, ids: Sequence[int]) -> Server | None:
    """910B has 16 devices only in a Box16; its other servers allow any set."""
    if family is Family.ASCEND910B:
        return _BOX16 if ids and ids[-1] >= 8 else None
    return _USUAL.get(family)


def _on_server(name: str, ids: tuple[int, ...], server: Server, *, is_alone: bool) -> Iterator[Misfit]:
    sizes = server.sizes if is_alone else server.distributed_sizes
    first_910 = server.family is Family.ASCEND910
    if len(ids) not in sizes and server.allocation is not Allocation.EQUAL_GROUPS:
        listed = _listed(sizes)
        alone = "" if is_alone else " that is one of several"
        yield Misfit(
            Severity.REFUSED if first_910 else Severity.WARNING,
            name,
            ids,
            f"{_devices(ids)} on server {name}",
            f"a job has {listed} devices of a server{alone} ({server.product})",
            f"use {listed} devices",
            _MIGRATION if first_910 else _AFFINITY,
        )
    elif (broken := _broken(ids, server)) is not None:
        severity, seen, rule, remedy, source = broken
        yield Misfit(severity, name, ids, f"{seen} on server {name}", rule, remedy, source)


Broken = tuple[Severity, str, str, str, str]


def _broken(ids: tuple[int, ...], server: Server) -> Broken | None:
    """The rule of the server that these devices break, if any: severity, what is seen, rule, remedy, source."""
    rule = _RULES.get(server.allocation)
    return rule(ids, server) if rule else None


def _one_group(ids: tuple[int, ...], server: Server) -> Broken | None:
    """Rings of the first 910: 1, 2 or 4 devices lie in one."""
    size = len(server.groups[0])
    if len(ids) > size or any(set(ids) <= set(group) for group in server.groups):
        return None
    rings = " or ".join(_range(group) for group in server.groups)
    return (
        Severity.REFUSED,
        f"{_devices(ids)}, which cross the HCCS rings,",
        f"2 or 4 devices must be in one HCCS ring: {rings}",
        f"use {len(ids)} devices of {rings}",
        _MIGRATION,
    )


def _equal_groups(ids: tuple[int, ...], server: Server) -> Broken | None:
    """Modules of a Box16: as many devices in each, and over PCIe at the same places."""
    used = [tuple(sorted(set(ids) & set(group))) for group in server.groups if set(ids) & set(group)]
    if len({len(part) for part in used}) > 1:
        counts = " and ".join(str(len(part)) for part in used)
        modules = " and ".join(_range(group) for group in server.groups)
        return (
            Severity.REFUSED,
            f"{_devices(ids)}, {counts} in the modules,",
            f"a job that has devices of both modules ({modules}) has as many of each",
            "use as many devices of each module, or of one module only",
            _AFFINITY,
        )
    if len({tuple(device % len(server.groups[0]) for device in part) for part in used}) > 1:
        return (
            Severity.WARNING,
            f"{_devices(ids)}, at different places in the modules,",
            "over PCIe, which is the default between modules, both have the same planes: 0 with 8, 1 with 9, ...",
            "use the same places in both modules, or set HCCL_INTRA_ROCE_ENABLE=1",
            _PCIE,
        )
    return None


def _whole_groups(ids: tuple[int, ...], server: Server) -> Broken | None:
    """Pairs of dies of an A3: an even number of devices is whole pairs."""
    halves = [group for group in server.groups if 0 < len(set(ids) & set(group)) < len(group)]
    if len(ids) == 1 or not halves:
        return None
    return (
        Severity.WARNING,
        f"{_devices(ids)}, which split the NPU of devices {_listed(halves[0])},",
        "the two devices of an NPU belong to one job: 0 and 1, 2 and 3, ...",
        "use both devices of each NPU",
        _AFFINITY,
    )


_RULES: Final[Mapping[Allocation, Callable[[tuple[int, ...], Server], Broken | None]]] = {
    Allocation.ONE_GROUP: _one_group,
    Allocation.EQUAL_GROUPS: _equal_groups,
    Allocation.WHOLE_GROUPS: _whole_groups,
}


def _across_servers(family: Family, counts: Mapping[str, int], cann_version: str | None) -> Iterator[Misfit]:
    sizes = Counter(counts.values())
    usual = sizes.most_common(1)[0][0]
    if len(sizes) > 1:
        odd = next(name for name, count in counts.items() if count != usual)
        # HCCL counts them on every chip that it reads a table of strings for, but 910B and 910_93.
        is_counted = family not in (Family.ASCEND910B, Family.ASCEND910_93, Family.ASCEND950)
        yield Misfit(
            Severity.REFUSED if is_counted else Severity.WARNING,
            odd,
            (),
            f"{counted(counts[odd], 'device')} of server {odd}, and {usual} of {counted(sizes[usual], 'other')}",
            f"as many devices of each server are {'needed' if is_counted else 'recommended'}",
            f"use {counted(usual, 'device')} of each server",
            _COUNTING if is_counted else "HCCL user guide, cluster_info_config",
            ("EI0004", "EI0014") if is_counted else (),
        )
    elif family is Family.ASCEND910 and usual != 8 and (version := _major(cann_version)) < 7:
        yield Misfit(
            Severity.REFUSED if 0 < version < 6 else Severity.WARNING,
            "",
            (),
            f"{counted(usual, 'device')} of each of {len(counts)} servers"
            + (f", with CANN {cann_version}" if version else ", with a CANN version that is not known here"),
            "with CANN 5 a job on several servers has all 8 devices of each; since CANN 7.0 also 1, 2 or 4",
            "use 8 devices of each server, or CANN 7.0 or later",
            _MIGRATION,
        )
    most = _MOST_SERVERS.get(family)
    if most is not None and len(counts) > most:
        yield Misfit(
            Severity.WARNING,
            "",
            (),
            f"{len(counts)} servers",
            f"a job has at most {most} servers of this chip, as far as the guide for CANN 7.0 says",
            "use fewer servers, or look the limit up for your CANN version",
            _MIGRATION,
        )


def _major(version: str | None) -> int:
    """The first number of a version; 0 when it is not known."""
    match = re.match(r"[0-9]{1,3}(?=\.)", version or "")
    return int(match[0]) if match else 0


def _devices(ids: Sequence[int]) -> str:
    return f"{counted(len(ids), 'device')} ({','.join(map(str, ids))})"


def _range(group: Sequence[int]) -> str:
    return f"{group[0]}-{group[-1]}"


def _listed(numbers: Sequence[int]) -> str:
    *first, last = map(str, numbers)
    return f"{', '.join(first)} or {last}" if first else last
