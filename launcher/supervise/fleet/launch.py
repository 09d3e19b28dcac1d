"""Starts a run on the hosts of a cluster: they are looked at and brought up, and the first of them begins the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from launcher.hosts import check_hosts
from launcher.hosts.code.relocation import project_root, relocated
from launcher.hosts.code.synchronise import synchronise
from launcher.hosts.preflight.finding import Severity
from launcher.hosts.preflight.wording import in_one_line
from launcher.hosts.program import check_program
from launcher.hosts.survey import has_python
from launcher.hosts.ways import Ways
from launcher.planning.compose import plan
from launcher.planning.place import Place
from launcher.runs.pointer import point
from launcher.runs.store import RunDirectory
from launcher.specs import Cluster, Recipe
from launcher.specs.choices import Preflight
from launcher.supervise.begin import ask_what_is_taken, begin_at_home, beginning
from launcher.supervise.fleet.asking import Tell, everywhere, refuse, sort_out
from launcher.supervise.fleet.choice import addresses
from launcher.supervise.fleet.up import Fleet, bring_up
from launcher.supervise.sights import sights_of

Warn = Callable[[str], None]
_LOOK = 10.0  # seconds for a host to say whether it has a Python


def launch(
    recipe: Recipe,
    cluster: Cluster,
    *,
    name: str | None,
    preflight: Preflight | None,
    reach: Ways,
    tell: Tell,
    warn: Warn,
) -> RunDirectory:
    """Start a run whose ranks are on several hosts, or on another one; its folder here.

    Where the run is at home on another host, that is no more than a pointer to it. `warn` hears in a line each what is
    doubtful, `tell` how far it is. Raises SpecError, PlanError, PreflightError or InfrastructureError.
    """
    check_program(recipe)
    with ExitStack() as held:  # one connection a host from here on
        for host in cluster.hosts:
            held.callback(reach(host).close)
        fleet = None
        if not _all_have_python(cluster, reach):  # and could not be looked at
            fleet = bring_up(cluster, stay=False, reach=reach, tell=tell)
        for found in check_hosts(recipe, cluster, preflight, reach=reach):
            if found.severity is Severity.WARN:
                warn(in_one_line(found))
        ips = {host: member.ip for host, member in addresses(cluster).items()}
        known = tuple((host, ip, None) for host, ip in ips.items())
        plan(recipe, cluster, Place.example(recipe).model_copy(update={"addresses": known}))  # raises PlanError early
        fleet = fleet or bring_up(cluster, stay=False, reach=reach, tell=tell)
        hosts = [host for host in fleet.cluster.hosts if host.name in fleet.provided]
        root = project_root(recipe.source or Path.cwd())
        folders, failed = sort_out(synchronise(root, hosts, reach, fleet.provided, tell))
        refuse(failed, tell)
        there = relocated(recipe, root, folders[fleet.head.name])
        up = _as_brought_up(fleet)
        sights = sights_of(there, up.model_copy(update={"hosts": tuple(hosts)}), reach, ips)
        others = {host.name: (reach(host), fleet.at(host.name).command) for host in hosts if host is not fleet.head}
        taken = ask_what_is_taken("-", others)
        at = fleet.at(fleet.head.name)
        message = beginning(there, up, name or recipe.name, sights, taken)
        created = time.time()
        run, warnings = begin_at_home(reach(fleet.head), at.command, message)
    for text in warnings:
        warn(text)
    if reach.is_here(fleet.head):
        return RunDirectory(Path(at.home) / "runs" / run)
    return point(run, message.name, created, message.recipe, message.cluster, at)


def _all_have_python(cluster: Cluster, reach: Ways) -> bool:
    """Whether every host that can be reached has a Python; what is wrong with others is the preflight's to tell."""
    has = everywhere(lambda host: has_python(reach(host), host.python, _LOOK), cluster.hosts)
    return all(sort_out(has)[0].values())


def _as_brought_up(fleet: Fleet) -> Cluster:
    """The cluster with the Python of every host for which the spec names none: the one that was brought there."""
    hosts = tuple(
        host
        if host.python is not None or host.name not in fleet.provided
        else host.model_copy(update={"python": fleet.provided[host.name].python})
        for host in fleet.cluster.hosts
    )
    return fleet.cluster.model_copy(update={"hosts": hosts})
