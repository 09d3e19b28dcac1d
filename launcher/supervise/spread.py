"""Runs that are not at home on this machine alone: on several hosts, or on another one."""

from __future__ import annotations

from launcher.hosts.this_machine import is_this_machine
from launcher.runs.clusters import cluster_id, read_membership
from launcher.specs import Cluster, Host


def home_host(cluster: Cluster) -> Host:
    """Where runs on this cluster have their record and whoever supervises them, and Ray its head."""
    return cluster.hosts[0]


def headed_by(cluster: Cluster, host: str) -> Cluster:
    """The same cluster with this host as its first, and no spare any more."""
    if cluster.hosts[0].name == host:
        return cluster
    head = next(each for each in cluster.hosts if each.name == host)
    others = tuple(each for each in cluster.hosts if each.name != host)
    return cluster.model_copy(update={"hosts": (head.model_copy(update={"spare": False}), *others)})


def is_spread(cluster: Cluster) -> bool:
    """Whether a run on this cluster needs more than this machine."""
    return len(cluster.hosts) > 1 or not is_this_machine(home_host(cluster).address)


def ray_of(cluster: Cluster) -> str | None:
    """The id of the cluster whose Ray serves runs on it, asked of its home; None: the home's own.

    A single host that was brought up from elsewhere has a cluster's Ray, too.
    """
    found = cluster_id(cluster)
    return found if is_spread(cluster) or read_membership(found) is not None else None
