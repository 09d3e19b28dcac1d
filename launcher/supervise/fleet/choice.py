"""Which host is the head, and what every host is told of the cluster; purely."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from launcher.errors import InfrastructureError
from launcher.planning.ray_ports import DEFAULT_RAY_PORT
from launcher.runs.clusters import Member, Membership, Tls, cluster_id
from launcher.specs import Cluster, Host
from launcher.supervise.fleet.there import There


@dataclass(frozen=True)
class Head:
    """The host that Ray's head and the runs are on; `mirrored` are runs that it takes over from the one before."""

    host: Host
    mirrored: tuple[str, ...] = ()


def choose_head(cluster: Cluster, there: Mapping[str, There]) -> Head:
    """The host whose head is alive, else the first host, else the one that has the most of a lost head's runs.

    `there` has the hosts that answered. A head that is alive stays: it may have taken runs over while the first host
    was away. Where nobody can take its place, it is the first host, whether it answered or not.
    """
    for host in cluster.hosts:
        if (known := there.get(host.name)) and known.is_head and known.membership and known.membership.is_head:
            return Head(host)
    first = cluster.hosts[0]
    if first.name in there:
        return Head(first)
    lost = {host.name for host in cluster.hosts if host.name not in there}
    heirs = {name: [mirror for mirror in known.mirrors if mirror.home in lost] for name, known in there.items()}
    best = max(cluster.hosts, key=lambda host: sum(mirror.size for mirror in heirs.get(host.name, ())))
    mirrored = tuple(mirror.run for mirror in heirs.get(best.name, ()))
    return Head(best, mirrored) if mirrored else Head(first)


def addresses(cluster: Cluster) -> dict[str, Member]:
    """The hosts by name, with the addresses that they have for each other, looked up on this machine.

    Raises InfrastructureError for a name without an address, and for an address by which a host reaches only itself.
    """
    alone = len(cluster.hosts) == 1
    return {host.name: Member(name=host.name, ip=_ip(host, alone=alone)) for host in cluster.hosts}


def _ip(host: Host, *, alone: bool) -> str:
    try:
        found = socket.getaddrinfo(host.address, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise InfrastructureError(
            f"{host.address} has no address here: {getattr(error, 'strerror', None) or error}",
            where=f"host {host.name}, resolve",
            expected="an address by which the hosts of the cluster reach each other",
            remedy=f"write its IP address into the cluster spec (address of host {host.name})",
        ) from None
    ip = str(min(found, key=lambda entry: entry[0] is not socket.AF_INET)[4][0])  # IPv4 where there are both
    if not alone and ipaddress.ip_address(ip.partition("%")[0]).is_loopback:
        raise InfrastructureError(
            f"{host.address} is {ip}, by which no other host reaches it",
            where=f"host {host.name}, resolve",
            expected="an address by which the hosts of the cluster reach each other",
            remedy=f"write that address into the cluster spec (address of host {host.name})",
        )
    return ip


def memberships(
    cluster: Cluster, head: Host, members: Mapping[str, Member], pythons: Mapping[str, str], *, stay: bool
) -> dict[str, Membership]:
    """What each host that takes part is told of the cluster: those that have a Python."""
    ray = cluster.ray
    tls = ray.tls if ray is not None else None
    return {
        host: Membership(
            cluster=cluster.name,
            id=cluster_id(cluster),
            head=head.name,
            me=host,
            members=tuple(members[each] for each in pythons),
            port=ray.port if ray is not None else DEFAULT_RAY_PORT,
            stay=stay,
            python=python,
            external=ray.address if ray is not None else None,
            tls=Tls(server_cert=tls.cert, server_key=tls.key, ca_cert=tls.ca) if tls is not None else None,
        )
        for host, python in pythons.items()
    }
