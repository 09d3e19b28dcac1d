"""Other clusters that a host is in still: of Rays on the same ports there is one at a time."""

from __future__ import annotations

from launcher.errors import InfrastructureError
from launcher.planning.ray_ports import DEFAULT_RAY_PORT
from launcher.specs import Cluster
from launcher.specs.ray import RAY_PORTS
from launcher.supervise.fleet.there import Other, There


def to_leave(host: str, there: There, cluster: Cluster) -> tuple[str, ...]:
    """The ids of the clusters that a host has to leave for this one to have its ports.

    A spec that hosts were added to, or taken out of, is another cluster. Raises InfrastructureError for one that was
    told to stay, or that runs are on.
    """
    ray = cluster.ray
    if ray is not None and ray.address is not None:
        return ()
    first = ray.port if ray is not None else DEFAULT_RAY_PORT
    in_the_way = [other for other in there.others if abs(other.membership.port - first) < RAY_PORTS]
    for other in in_the_way:
        if other.membership.stay or other.alive:
            raise _needed(host, other)
    return tuple(other.membership.id for other in in_the_way)


def _needed(host: str, other: Other) -> InfrastructureError:
    known = other.membership
    hosts = ", ".join(f"{member.name} ({member.ip})" for member in known.members)
    runs = f"; runs are on it: {', '.join(other.alive)}" if other.alive else ""
    return InfrastructureError(
        f"it is in another cluster, {known.cluster} of the hosts {hosts}, which is up on the same ports{runs}",
        where=f"host {host}",
        expected="a host in one cluster, or clusters with ports of their own",
        remedy="npu-launch down with a spec of those hosts; or another first port here (ray: {port: N})",
    )
