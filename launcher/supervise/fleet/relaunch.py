"""Has the hosts of a run up again before the run is started again: their Ray may have ended with its last run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts import check_hosts
from launcher.hosts.preflight.finding import Severity
from launcher.hosts.preflight.wording import in_one_line
from launcher.hosts.ways import Ways
from launcher.runs.clusters import cluster_id, read_membership
from launcher.runs.lock import is_held
from launcher.runs.store import RunDirectory
from launcher.specs import Cluster, load_cluster, load_recipe
from launcher.specs.choices import Preflight
from launcher.supervise.fleet import afar
from launcher.supervise.fleet.asking import Tell
from launcher.supervise.fleet.up import bring_up
from launcher.supervise.fleet.way_home import WayHome
from launcher.supervise.on_ray.service import head_service
from launcher.supervise.spread import headed_by

_REMEDY: Final = "npu-launch up CLUSTER on a machine that reaches all hosts by ssh, then rerun again"


class Look(NamedTuple):
    """How the hosts are looked at before a run starts again: as the recipe says, unless `preflight` is given."""

    preflight: Preflight | None
    overrides: Sequence[str]
    warn: Callable[[str], None]

    def at_hosts(self, run: RunDirectory, cluster: Cluster, reach: Ways) -> None:
        """Raises PreflightError or InfrastructureError for what refuses the run."""
        for found in check_hosts(load_recipe(run.layout.recipe, self.overrides), cluster, self.preflight, reach=reach):
            if found.severity is Severity.WARN:
                self.warn(in_one_line(found))


def bring_home_up(home: WayHome, look: Look, tell: Tell) -> None:
    """Bring up the hosts of a run that lives on another host, which stays its home, and look at them.

    Raises InfrastructureError, also when another host is the head meanwhile, and PreflightError.
    """
    cluster = headed_by(load_cluster(home.run.layout.cluster), home.host.name)
    with home.ways:
        fleet = bring_up(cluster, stay=False, reach=home.ways, tell=tell)
        if afar.state(home).phase.ended:  # a run that is alive is refused there
            look.at_hosts(home.run, cluster, home.ways)
    if fleet.head.name != home.host.name:
        raise InfrastructureError(
            f"run {home.run.id} lives on host {home.host.name}, but the head of its cluster is {fleet.head.name} now",
            expected="a cluster whose head is the home of the run",
            remedy="npu-launch down CLUSTER, then rerun again",
        )


def be_up_here(run: RunDirectory, cluster: Cluster, reach: Ways, look: Look, tell: Tell) -> None:
    """Bring up the hosts of a run that lives on this one, unless Ray's head is up here.

    They are looked at when that is asked for: the home need not reach the others by ssh. Raises InfrastructureError
    where that cannot be done from here, and PreflightError.
    """
    _have_head(cluster, reach, tell)
    if look.preflight is not None:
        look.at_hosts(run, cluster, reach)


def _have_head(cluster: Cluster, reach: Ways, tell: Tell) -> None:
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
