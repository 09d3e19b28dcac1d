"""What preflight asks hosts: over the network, or of this machine's CPU in a moment."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from launcher.errors import NpuLaunchError
from launcher.hosts.preflight.paths import paths_to_ask, python_of
from launcher.hosts.preflight.ports import ports_to_ask
from launcher.hosts.preflight.space import SHARED_MEMORY, TEMPORARY
from launcher.hosts.report import Clock, Filesystem, HostReport, PathKind
from launcher.runs.home import home
from launcher.specs import Cluster, Host, Recipe
from launcher.specs.choices import Preflight

if TYPE_CHECKING:
    from launcher.hosts.survey import OpenReach

BUDGET: Final = 10.0  # seconds for all hosts together


def ask(
    cluster: Cluster, recipe: Recipe | None, preflight: Preflight, open_reach: OpenReach, budget: float = BUDGET
) -> Mapping[str, HostReport | NpuLaunchError]:
    """What every host of the cluster answers within `budget` seconds, or why it does not."""
    from launcher.hosts.reading.request import Level
    from launcher.hosts.survey import Request, survey_hosts

    request = Request(
        level=Level.FULL if preflight is Preflight.FULL else Level.FAST,
        paths=paths_to_ask(recipe, cluster),
        filesystems=_filesystems(),
        ports=ports_to_ask(recipe, cluster),
    )
    hosts = [_with_python(host, recipe) for host in cluster.hosts]
    return survey_hosts(hosts, request, open_reach, budget)


def ask_this_cpu(cluster: Cluster, recipe: Recipe) -> Mapping[str, HostReport]:
    """What this machine says as the one host of a CPU cluster: the probe's own looks, but in this process."""
    from launcher.hosts import probe
    from launcher.hosts.reading.machine import read_limits

    (host,) = cluster.hosts
    now = time.time()
    rooms = {path: probe.room(path) for path in _filesystems()}
    ports = list(ports_to_ask(recipe, cluster))
    report = HostReport(
        host=host.name,
        name=os.uname().nodename,
        architecture=os.uname().machine,
        clock=Clock(now, now, now),
        filesystems=tuple(
            Filesystem(path, room["total"], room["free"], room["inodes"])
            for path, room in rooms.items()
            if "free" in room
        ),
        limits=read_limits(probe.read("/proc/self/limits").get("text", "")),
        listening=tuple(probe.listening(probe.Root(""), ports)) if ports else (),
        paths={path: PathKind(probe.look_at(path)["kind"]) for path in paths_to_ask(recipe, cluster)},
    )
    return {host.name: report}


def _with_python(host: Host, recipe: Recipe | None) -> Host:
    """The host with the interpreter whose packages count."""
    return host if recipe is None else host.model_copy(update={"python": python_of(recipe, host)})


def _filesystems() -> tuple[str, ...]:
    return str(home()), TEMPORARY, SHARED_MEMORY
