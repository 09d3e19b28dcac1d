"""Presets of servers: how many devices each has, how they are linked, and which sets of them one job may have.

From MindCluster's tables of node affinity (Ascend/mind-cluster, docs/en/scheduling/api/volcano.md; MindCluster user
guide, dl_affinity).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final

from launcher.specs.soc import Family, device_memory


class Allocation(str, Enum):
    """Which sets of devices one job may have on a server, beside their number.

    `any`: all; `one_group`: a set that is no larger than a group lies in one; `equal_groups`: a set in several groups
    has as many devices in each; `whole_groups`: an even number of devices is made of whole groups.
    """

    ANY = "any"
    ONE_GROUP = "one_group"
    EQUAL_GROUPS = "equal_groups"
    WHOLE_GROUPS = "whole_groups"


@dataclass(frozen=True)
class Server:
    """One product.

    `soc` is the chip that is assumed when a cluster names the server alone; None where it has to be said. `groups` are
    the devices that are linked most closely: rings, modules, pairs. `sizes` are the numbers of devices that one job
    may have on one server; `distributed_sizes` those of a job on several.
    """

    key: str
    product: str
    family: Family
    soc: str | None
    devices: int
    links: str
    sizes: tuple[int, ...]
    distributed_sizes: tuple[int, ...]
    groups: tuple[tuple[int, ...], ...]
    allocation: Allocation

    @property
    def memory(self) -> int | None:
        """Memory of one device in MB; None: not known."""
        return device_memory(self.soc) if self.soc else None


def _groups(devices: int, size: int) -> tuple[tuple[int, ...], ...]:
    return tuple(tuple(range(first, first + size)) for first in range(0, devices, size))


def _first_910(key: str, product: str, devices: int) -> Server:
    return Server(
        key=key,
        product=product,
        family=Family.ASCEND910,
        soc="Ascend910A",
        devices=devices,
        links="HCCS in each ring of four, PCIe between the rings",
        sizes=tuple(size for size in (1, 2, 4, 8) if size <= devices),
        distributed_sizes=tuple(size for size in (1, 2, 4, 8) if size <= devices),
        groups=_groups(devices, 4),
        allocation=Allocation.ONE_GROUP,
    )


def _mesh(key: str, product: str) -> Server:
    return Server(
        key=key,
        product=product,
        family=Family.ASCEND910B,
        soc="Ascend910B3",
        devices=8,
        links="HCCS between all",
        sizes=tuple(range(1, 9)),
        distributed_sizes=tuple(range(1, 9)),
        groups=_groups(8, 8),
        allocation=Allocation.ANY,
    )


def _pairs(key: str, product: str, links: str = "SIO in each pair, HCCS between the pairs") -> Server:
    return Server(
        key=key,
        product=product,
        family=Family.ASCEND910_93,
        soc="Ascend910_9391",
        devices=16,
        links=links,
        sizes=(1, *range(2, 17, 2)),
        distributed_sizes=tuple(range(2, 17, 2)),
        groups=_groups(16, 2),
        allocation=Allocation.WHOLE_GROUPS,
    )


def _ub(key: str, product: str) -> Server:
    return Server(
        key=key,
        product=product,
        family=Family.ASCEND950,
        soc=None,
        devices=8,
        links="UB",
        sizes=(8,),
        distributed_sizes=(8,),
        groups=_groups(8, 8),
        allocation=Allocation.ANY,
    )


SERVERS: Final[Mapping[str, Server]] = MappingProxyType(
    {
        server.key: server
        for server in (
            _first_910("atlas-800-9000", "Atlas 800 training server, model 9000", 8),
            _first_910("atlas-800-9010", "Atlas 800 training server, model 9010", 8),
            _first_910("atlas-800-9000-4p", "Atlas 800 training server, model 9000, half populated", 4),
            _first_910("atlas-800-9010-4p", "Atlas 800 training server, model 9010, half populated", 4),
            Server(
                key="atlas-300t",
                product="server with two Atlas 300T training cards",
                family=Family.ASCEND910,
                soc="Ascend910A",
                devices=2,
                links="PCIe or RoCE",
                sizes=(1, 2),
                distributed_sizes=(1, 2),
                groups=_groups(2, 1),
                allocation=Allocation.ANY,
            ),
            _mesh("atlas-800t-a2", "Atlas 800T A2"),
            _mesh("atlas-900-a2-pod", "Atlas 900 A2 PoD"),
            Server(
                key="atlas-200t-a2-box16",
                product="Atlas 200T A2 Box16",
                family=Family.ASCEND910B,
                soc="Ascend910B3",
                devices=16,
                links="HCCS in each module of eight, PCIe or RoCE between the modules",
                sizes=(*range(1, 9), *range(10, 17, 2)),
                distributed_sizes=(*range(1, 9), *range(10, 17, 2)),
                groups=_groups(16, 8),
                allocation=Allocation.EQUAL_GROUPS,
            ),
            _pairs("atlas-800t-a3", "Atlas 800T A3 SuperPoD server"),
            _pairs("atlas-800i-a3", "Atlas 800I A3 SuperPoD server"),
            _pairs("atlas-a200t-a3-box8", "A200T A3 Box8 SuperPoD server"),
            _pairs(
                "atlas-900-a3-superpod",
                "node of an Atlas 900 A3 SuperPoD",
                "SIO in each pair, HCCS between the pairs, HCCS of level 2 between nodes",
            ),
            _ub("atlas-850", "Atlas 850"),
            _ub("atlas-950-superpod", "node of an Atlas 950 SuperPoD"),
        )
    }
)
