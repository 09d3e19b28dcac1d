"""Rank table version 1.0, for Ascend 910, 910B, and 910_93 without super pods.

Source: HCCL user guide, cluster_info_config.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from launcher.planning.placement import Seat
from launcher.planning.ranktable import rules
from launcher.planning.ranktable.concise import ConciseTable, check_servers, servers_of
from launcher.planning.ranktable.violation import Findings
from launcher.specs.soc import Family


class RankTable(ConciseTable):
    """The whole table."""

    version: Literal["1.0"] = "1.0"


def rank_table(seats: Sequence[Seat], family: Family | None = None) -> RankTable:
    """The table of these seats, which are in rank order."""
    servers = servers_of(seats, family)
    return RankTable(status="completed", server_count=str(len(servers)), server_list=servers)


def check(values: dict[str, Any], found: Findings) -> None:
    """Report what this version wants beyond what all want."""
    check_servers(values, found)
    if "server_count" not in values and isinstance(servers := values.get("server_list"), list):
        found.add(rules.servers.NO_SERVER_COUNT, (), "no server_count", count=len(servers))
    if "super_pod_list" in values:
        found.add(rules.servers.PODS_UNREAD, ("super_pod_list",), 'super_pod_list beside version "1.0"')
