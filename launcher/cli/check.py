"""`npu-launch check`: look at the hosts of a cluster, and say what stands in the way of a run there.

`--json` prints one document; new keys may come, none goes or changes its meaning:
  version (1), refused (whether a run would be), preflight (fast, full), seconds (that it took), cluster and recipe
    (names; recipe is null when a cluster alone is checked)
  hosts: host, address, answered, architecture, npus (id, name, health), packages (name to version); what is not known
    is null
  findings, worst first: severity (refuse, warn, note), check (what was looked at: reach, placement, paths, devices,
    memory, network, versions, ports, space, limits, clocks, container, unread), host (null: the job, or all hosts),
    device (null: the host), rank (that is on the device, or null), seen, expected, remedy (a command where there is
    one), source (of the fact, or empty)
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from launcher.cli.options import ClusterOption, JsonOption, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from launcher.errors import NpuLaunchError
    from launcher.hosts.preflight.checks import Verdict
    from launcher.hosts.preflight.finding import Finding
    from launcher.hosts.report import HostReport
    from launcher.specs import Cluster, Host, Recipe

    Answers = Mapping[str, HostReport | NpuLaunchError]


def check(
    spec: Annotated[
        Path,
        typer.Argument(metavar="RECIPE|CLUSTER", help="What to run, or where: a YAML file.", show_default=False),
    ],
    cluster: ClusterOption = None,
    preflight: Annotated[
        str,
        typer.Option(
            "--preflight",
            metavar="[fast|full]",
            parser=one_of("--preflight", "fast", "full"),
            help="How closely to look.",
        ),
    ] = "full",
    json: JsonOption = False,
) -> int:
    """Look at the hosts before a run: devices, network, versions, room.

    All hosts are asked at once, within ten seconds. Of a recipe it says
    whether the job could run; of a cluster, whether any job could.

    \b
    npu-launch check recipes/resnext_8p.yaml
    npu-launch check recipe.yaml -c clusters/two_nodes.yaml
    npu-launch check clusters/two_nodes.yaml --json

    \b
    Exit codes: 0 nothing stands in the way, or warnings only; 3 a run
    would be refused.
    """
    from launcher.cli.output import talk
    from launcher.errors import ExitCode
    from launcher.hosts.preflight.asking import BUDGET, ask
    from launcher.hosts.preflight.checks import inspect
    from launcher.hosts.preflight.here import launch_findings, own_processes
    from launcher.hosts.ways import open_reach
    from launcher.specs.choices import Preflight
    from launcher.supervise.claims import taken_slots

    recipe, hosts = _specs(spec, cluster)
    count = len(hosts.hosts)
    talk(f"npu-launch: asking {count} host{'s' * (count > 1)}, for {BUDGET:g} s at most")
    began = time.monotonic()
    with open_reach(hosts) as reach:
        answers = ask(hosts, recipe, Preflight(preflight), reach)
    taken = frozenset((slot.host, slot.device) for slot in taken_slots(hosts))
    verdict = inspect(
        hosts,
        answers,
        recipe,
        unavailable=taken,
        own_processes=own_processes(hosts, answers),
        also=() if recipe is None else (*launch_findings(recipe, hosts), *_plan_findings(recipe, hosts)),
    )
    seconds = time.monotonic() - began
    if json:
        _print_json(_document(recipe, hosts, answers, verdict, preflight, seconds))
    else:
        _print_text(recipe, hosts, answers, verdict, preflight, seconds)
    return ExitCode.PREFLIGHT_REFUSED if verdict.refuses else ExitCode.OK


def _plan_findings(recipe: Recipe, hosts: Cluster) -> tuple[Finding, ...]:
    """Why there is no plan, but for ranks that do not fit, of which the look at the hosts tells."""
    from launcher.errors import PlanError
    from launcher.hosts.preflight.finding import Check, finding_of
    from launcher.planning.compose import plan
    from launcher.planning.place import Place
    from launcher.planning.placement import place_ranks
    from launcher.supervise.sights import resolved_addresses

    try:
        place_ranks(recipe, hosts)
    except PlanError:
        return ()
    try:
        plan(recipe, hosts, Place.example(recipe).model_copy(update={"addresses": resolved_addresses(hosts)}))
    except PlanError as error:
        return (finding_of(error, Check.PLACEMENT),)
    return ()


def _specs(spec: Path, cluster: Path | None) -> tuple[Recipe | None, Cluster]:
    """The recipe, if that is what the file is, and the cluster. Raises SpecError or UsageError."""
    from launcher.cli.run import resolve
    from launcher.errors import UsageError
    from launcher.specs import load_cluster

    if not _is_cluster(spec):
        return resolve(spec, cluster, (), ())
    if cluster is not None:
        raise UsageError(f"{spec} is a cluster, and -c names another", expected="a recipe with -c, or one cluster")
    return None, load_cluster(spec)


def _is_cluster(path: Path) -> bool:
    """Whether a file has what a cluster has; what cannot be read, or only once, is left to who reads recipes."""
    from launcher.errors import SpecError
    from launcher.specs import document
    from launcher.specs.load import LARGEST

    if not path.is_file():
        return False
    try:
        with path.open("rb") as stream:
            root = document.parse(stream.read(LARGEST).decode(), str(path)).root
    except (OSError, ValueError, SpecError):
        return False
    return "hosts" in root and "script" not in root


def _print_json(document: dict[str, Any]) -> None:
    import json

    from launcher.cli.output import put

    put(json.dumps(document, indent=1))


def _print_text(
    recipe: Recipe | None, cluster: Cluster, answers: Answers, verdict: Verdict, preflight: str, seconds: float
) -> None:
    from launcher.cli.output import put
    from launcher.cli.wording import count, duration
    from launcher.hosts.preflight.finding import Severity
    from launcher.hosts.preflight.grouping import grouped
    from launcher.hosts.preflight.wording import block, host_line
    from launcher.logs.safe import safe_line

    of = f"{recipe.name} on {cluster.name}" if recipe is not None else cluster.name
    lines = [f"{of}: {count(len(cluster.hosts), 'host')}, {preflight} preflight, {duration(seconds)}"]
    lines += [f"  {host_line(host, answers.get(host.name))}" for host in cluster.hosts]
    groups = grouped(verdict.findings, verdict.ranks)
    for group in groups:
        lines += ["", *block(group).splitlines()]
    told = {severity: sum(group.severity is severity for group in groups) for severity in Severity}
    words = [count(number, _WORDS[severity.value]) for severity, number in told.items() if number]
    end = "a run would be refused" if verdict.refuses else "nothing stands in the way of a run"
    lines += ["", f"{', '.join(words)}: {end}" if words else f"nothing found: {end}"]
    for text in lines:
        put(safe_line(text))


_WORDS = {"refuse": "refusal", "warn": "warning", "note": "note"}


def _document(
    recipe: Recipe | None, cluster: Cluster, answers: Answers, verdict: Verdict, preflight: str, seconds: float
) -> dict[str, Any]:
    return {
        "version": 1,
        "refused": verdict.refuses,
        "preflight": preflight,
        "seconds": round(seconds, 3),
        "cluster": cluster.name,
        "recipe": recipe.name if recipe is not None else None,
        "hosts": [_host(host, answers.get(host.name)) for host in cluster.hosts],
        "findings": [
            {
                "severity": finding.severity.value,
                "check": finding.check.value,
                "host": finding.host,
                "device": finding.device,
                "rank": verdict.rank_of(finding),
                "seen": finding.seen,
                "expected": finding.expected,
                "remedy": finding.command,
                "source": finding.source,
            }
            for finding in verdict.findings
        ],
    }


def _host(host: Host, answer: HostReport | NpuLaunchError | None) -> dict[str, Any]:
    from launcher.hosts.report import HostReport

    report = answer if isinstance(answer, HostReport) else None
    return {
        "host": host.name,
        "address": host.address,
        "answered": report is not None,
        "architecture": report.architecture if report else None,
        "npus": [{"id": npu.id, "name": npu.name, "health": npu.health.value} for npu in report.npus]
        if report
        else None,
        "packages": {name: package.version for name, package in report.packages.items()} if report else None,
    }
