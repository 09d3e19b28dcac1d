"""The way to the home of a run, when that is another machine than this one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from launcher.runs.pointer import At, pointed_at

if TYPE_CHECKING:
    from launcher.hosts.ways import Ways
    from launcher.runs.store import RunDirectory
    from launcher.specs import Host


@dataclass(frozen=True)
class WayHome:
    """A run that lives on another host, and the way there. Enter `ways` to have no connection left afterwards."""

    run: RunDirectory
    at: At
    host: Host
    ways: Ways


def way_home(run: RunDirectory, *, to_read: bool = False) -> WayHome | None:
    """Where a run lives, when that is another machine than this one; None when it is this one.

    None also for what wants `to_read` alone, where this machine shares the home that the run's record is in. Raises
    SpecError when the run's cluster.yaml cannot be read.
    """
    at = pointed_at(run)
    if at is None or at.is_here or (to_read and at.machine is not None):
        return None
    from launcher.hosts.ways import open_reach
    from launcher.specs import load_cluster

    cluster = load_cluster(run.layout.cluster)
    ways = open_reach(cluster)
    host = next((host for host in cluster.hosts if host.name == at.host), None)
    return None if host is None or ways.is_here(host) else WayHome(run, at, host, ways)
