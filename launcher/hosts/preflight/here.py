"""Whether a run can start: on this machine, or on the hosts of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from launcher.errors import NpuLaunchError
from launcher.hosts.preflight.asking import ask, ask_this_cpu
from launcher.hosts.preflight.checks import inspect
from launcher.hosts.preflight.finding import Check, Finding, Severity, finding_of
from launcher.hosts.preflight.grouping import Group, grouped
from launcher.hosts.preflight.wording import refusal
from launcher.hosts.program import check_framework, check_program
from launcher.hosts.report import HostReport
from launcher.hosts.this_machine import is_this_machine
from launcher.planning.placement import Unavailable, place_ranks
from launcher.specs import Cluster, Recipe
from launcher.specs.choices import Preflight

if TYPE_CHECKING:
    from launcher.hosts.survey import OpenReach

Answers = Mapping[str, HostReport | NpuLaunchError]

_OFF: Final = Finding(
    Severity.WARN, Check.PREFLIGHT, "preflight is off: nothing was looked at but the script", remedy="--preflight fast"
)


def check_hosts(
    recipe: Recipe,
    cluster: Cluster,
    preflight: Preflight | None = None,
    unavailable: Unavailable = frozenset(),
    reach: OpenReach | None = None,
) -> tuple[Group, ...]:
    """What is worth a word before the ranks start; what could only fail after they have started is refused.

    `preflight` is the recipe's unless it is given; when it is off, only the script is looked at. Devices that are
    `unavailable` (host, id) get no rank, as long as the others suffice. `reach` leads to the hosts; without it, the
    cluster is this machine, which has to have the script. Raises SpecError when it has not, PlanError when there are
    more ranks than devices, and PreflightError or InfrastructureError for what preflight refuses.
    """
    if reach is None:
        check_program(recipe)
    wanted = preflight or recipe.preflight
    if wanted is Preflight.OFF:
        return grouped([_OFF], {})
    place_ranks(recipe, cluster)
    if reach is not None:
        answers: Answers = ask(cluster, recipe, wanted, reach)
    elif cluster.is_cpu:
        check_framework(recipe, cluster)
        answers = ask_this_cpu(cluster, recipe)
    else:
        from launcher.hosts.reach import ThisMachine

        answers = ask(cluster, recipe, wanted, lambda _: ThisMachine())
    verdict = inspect(cluster, answers, recipe, unavailable=unavailable, own_processes=own_processes(cluster, answers))
    groups = grouped(verdict.findings, verdict.ranks)
    refused = [group for group in groups if group.severity is Severity.REFUSE]
    if refused:
        raise refusal(refused)
    return groups


def launch_findings(recipe: Recipe, cluster: Cluster) -> tuple[Finding, ...]:
    """What `run` would say before it looks at any host: of script and framework here."""
    found = []
    try:
        if recipe.script_path.is_file():  # else the hosts say that it is missing
            check_program(recipe)
    except NpuLaunchError as error:
        found.append(finding_of(error, Check.PATHS))
    try:
        are_here = all(is_this_machine(host.address) for host in cluster.hosts)
        if cluster.is_cpu and are_here:  # else the probe looks for it
            check_framework(recipe, cluster)
    except NpuLaunchError as error:
        found.append(finding_of(error, Check.VERSIONS))
    return tuple(found)


def own_processes(cluster: Cluster, answers: Answers) -> dict[tuple[str, int], str]:
    """(host, pid) to run, of processes of runs that use devices of this machine."""
    using = {
        host.name: pids
        for host in cluster.hosts
        if isinstance(report := answers.get(host.name), HostReport)
        and (pids := {process.pid for npu in report.npus for process in npu.processes})
        and is_this_machine(host.address)
    }
    if not using:
        return {}
    from launcher.hosts.tagged import tagged_processes

    runs = {process.pid: process.run for process in tagged_processes()}
    return {(name, pid): runs[pid] for name, pids in using.items() for pid in pids if pid in runs}
