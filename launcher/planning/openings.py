"""Which ports the hosts of a job have to reach each other on: the list for whoever keeps a firewall."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from launcher.planning.model import Opening, RankProcess, ServiceProcess, Target
from launcher.planning.place import hccl_ports
from launcher.planning.ray_ports import ray_ports
from launcher.specs import Cluster, Framework
from launcher.specs.ray import Ray

_ANY: Final = "1024-65535"
_SSH: Final = 22
_HCCL: Final = "HCCL_IF_BASE_PORT"
_MEETING: Final = ("MS_SCHED_PORT", "MASTER_PORT")


def openings(
    cluster: Cluster,
    framework: Framework,
    target: Target,
    ranks: Sequence[RankProcess],
    services: Sequence[ServiceProcess],
) -> tuple[Opening, ...]:
    """The ports of a job on several hosts; none for one that is on one host, where nothing is in between."""
    hosts = tuple(dict.fromkeys([*(rank.host for rank in ranks), *(service.host for service in services)]))
    if len(hosts) < 2:
        return ()
    return tuple(_openings(cluster, framework, target, ranks, hosts))


def _openings(
    cluster: Cluster, framework: Framework, target: Target, ranks: Sequence[RankProcess], hosts: tuple[str, ...]
) -> Iterator[Opening]:
    ssh = {(host.ssh.port if host.ssh else None) or _SSH for host in cluster.hosts}
    yield Opening(ports=",".join(map(str, sorted(ssh))), on=hosts, to="ssh, from where npu-launch is called")
    if cluster.ray is None or cluster.ray.address is None:
        ports = ray_ports((cluster.ray or Ray()).port)
        yield Opening(ports=str(ports.gcs), on=hosts[:1], to="Ray's head")
        own = range(ports.node_manager, ports.dashboard + 1)
        yield Opening(ports=f"{own[0]}-{own[-1]}", on=hosts, to="Ray's node services")
        yield Opening(
            ports=f"{ports.workers[0]}-{ports.workers[-1]}", on=hosts, to="Ray's workers: agents and supervisors"
        )
    first = ranks[0]
    meeting = next((first.env[name] for name in _MEETING if name in first.env), None)
    if meeting is not None and framework is not Framework.PLAIN:
        yield Opening(ports=meeting, on=hosts[:1], to="the place where ranks meet")
    if target is Target.ASCEND:
        base = next((rank.env[_HCCL] for rank in ranks if _HCCL in rank.env), None)
        if base is not None and base.isdecimal():
            own_ports = hccl_ports(int(base))
            yield Opening(ports=f"{own_ports[0]}-{own_ports[-1]}", on=hosts, to="HCCL, between the hosts")
        yield Opening(ports="4791", on=hosts, to="RoCE, between the devices' own network ports", protocol="udp")
        yield Opening(ports="16666", on=hosts, to="HCCL, between the devices' own network ports")
    else:
        yield Opening(ports=_ANY, on=hosts, to="collectives on CPU, which take any free port")
