"""Has the hosts of a run up again before the run is started again: their Ray may have ended with its last run."""

from __future__ import annotations

from typing import Final

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts.ways import Ways
from launcher.runs.clusters import cluster_id, read_membership
from launcher.runs.record import is_held
from launcher.specs import Cluster, load_cluster
from launcher.supervise.fleet.asking import Tell
from launcher.supervise.fleet.up import bring_up
from launcher.supervise.fleet.way_home import WayHome
from launcher.supervise.on_ray.service import head_service
from launcher.supervise.spread import headed_by

_REMEDY: Final = "npu-launch up CLUSTER on a machine that reaches all hosts by ssh, then rerun again"


def bring_home_up(home: WayHome, tell: Tell) -> None:
    """Bring up the hosts of a run that lives on another host, which stays its home.

    Raises InfrastructureError, also when another host is the head meanwhile.
    """
    cluster = headed_by(load_cluster(home.run.layout.cluster), home.host.name)
    with home.ways:
        fleet = bring_up(cluster, stay=False, reach=home.ways, tell=tell)
    if fleet.head.name != home.host.name:
        raise InfrastructureError(
            f"run {home.run.id} lives on host {home.host.name}, but the head of its cluster is {fleet.head.name} now",
            expected="a cluster whose head is the home of the run",
            remedy="npu-launch down CLUSTER, then rerun again",
        )


def be_up_here(cluster: Cluster, reach: Ways, tell: Tell) -> None:
    """Bring up the hosts of a run that lives on this one, unless Ray's head is up here.

    Raises InfrastructureError where that cannot be done from here.
    """
    id = cluster_id(cluster)
    if is_held(head_service(id).lock) or ((known := read_membership(id)) is not None and known.external is not None):
        return
    try:
        bring_up(cluster, stay=False, reach=reach, tell=tell)
    except NpuLaunchError as error:
        raise InfrastructureError(
            f"the hosts of {cluster.name} are not up, and cannot be brought up from here: {error.what}",
            where=error.where,
            expected="hosts that are up, or that this machine reaches by ssh",
            remedy=_REMEDY,
        ) from None
