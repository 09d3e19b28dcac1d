"""All checks of one subject, as a list of findings in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from launcher.errors import NpuLaunchError, PlanError
from launcher.hosts.preflight.container import check_container
from launcher.hosts.preflight.finding import Check, Finding, Severity, finding_of
from launcher.hosts.preflight.limits import check_limits
from launcher.hosts.preflight.paths import check_paths
from launcher.hosts.preflight.ports import check_ports
from launcher.hosts.preflight.space import check_space
from launcher.hosts.preflight.subject import Subject
from launcher.hosts.preflight.unread import check_unread
from launcher.hosts.report import HostReport
from launcher.planning.placement import Seat, Unavailable, place_ranks
from launcher.specs import Cluster, Recipe

_SEVERITIES = tuple(Severity)
_CHECKS = tuple(Check)


@dataclass(frozen=True)
class Verdict:
    """What was found: worst first, then in the order of checks, hosts and devices; and the ranks by (host, device)."""

    findings: tuple[Finding, ...]
    ranks: Mapping[tuple[str, int], int]

    @property
    def refuses(self) -> bool:
        """Whether a run would be refused."""
        return any(finding.severity is Severity.REFUSE for finding in self.findings)

    def rank_of(self, finding: Finding) -> int | None:
        """The rank on the device that a finding is about."""
        if finding.host is None or finding.device is None:
            return None
        return self.ranks.get((finding.host, finding.device))


def inspect(
    cluster: Cluster,
    answers: Mapping[str, HostReport | NpuLaunchError],
    recipe: Recipe | None = None,
    *,
    unavailable: Unavailable = frozenset(),
    own_processes: Mapping[tuple[str, int], str] | None = None,
    also: Iterable[Finding] = (),
) -> Verdict:
    """What stands in the way of the recipe, or of any job, on a cluster whose hosts have answered so.

    Ranks get no devices that are `unavailable` (host, id), as long as the others suffice; `own_processes` are those of
    runs, by (host, pid); `also` is what was found elsewhere. What would refuse a run is a warning on a host or device
    that no rank is on.
    """
    reports = {name: answer for name, answer in answers.items() if isinstance(answer, HostReport)}
    seats, misfit = _seated(recipe, cluster, unavailable)
    subject = Subject(cluster, reports, recipe, seats, misfit, own_processes or {})
    found = (_softened(finding, subject) for finding in (*also, *_unreached(answers), *_checked(subject)))
    return Verdict(_in_order(found, [host.name for host in cluster.hosts]), subject.ranks)


def _seated(
    recipe: Recipe | None, cluster: Cluster, unavailable: Unavailable
) -> tuple[tuple[Seat, ...], NpuLaunchError | None]:
    """Where the ranks sit, or why they cannot."""
    if recipe is None:
        return (), None
    nothing: Unavailable = frozenset()
    misfit = None
    for without in (unavailable, nothing):
        try:
            return place_ranks(recipe, cluster, without), None
        except PlanError as error:
            misfit = error
    return (), misfit


def _in_order(findings: Iterable[Finding], hosts: Iterable[str]) -> tuple[Finding, ...]:
    place = {name: number for number, name in enumerate(hosts)}

    def key(finding: Finding) -> tuple[int, int, int, int, str]:
        host = -1 if finding.host is None else place.get(finding.host, len(place))
        device = -1 if finding.device is None else finding.device
        return _SEVERITIES.index(finding.severity), _CHECKS.index(finding.check), host, device, finding.seen

    return tuple(sorted(findings, key=key))


def _unreached(answers: Mapping[str, HostReport | NpuLaunchError]) -> Iterator[Finding]:
    for name, answer in answers.items():
        if not isinstance(answer, HostReport):
            yield finding_of(answer, Check.REACH, name)


def _checked(subject: Subject) -> Iterator[Finding]:
    for check in (check_paths, check_ports, check_space, check_limits, check_container, check_unread):
        yield from check(subject)
    if subject.spans_hosts or not subject.cluster.is_cpu:  # modules that a run on this machine's CPU need not load
        from launcher.hosts.preflight.clocks import check_clocks
        from launcher.hosts.preflight.devices import check_devices
        from launcher.hosts.preflight.interfaces import check_interfaces
        from launcher.hosts.preflight.memory import check_memory
        from launcher.hosts.preflight.network import check_network
        from launcher.hosts.preflight.placement import check_placement
        from launcher.hosts.preflight.versions import check_versions

        network = (check_interfaces, check_network)
        for check in (check_placement, check_devices, check_memory, *network, check_versions, check_clocks):
            yield from check(subject)
    elif subject.misfit is not None:
        yield finding_of(subject.misfit, Check.PLACEMENT)


def _softened(finding: Finding, subject: Subject) -> Finding:
    if finding.severity is Severity.REFUSE and not subject.is_used(finding.host, finding.device):
        return replace(finding, severity=Severity.WARN, seen=f"{finding.seen} (no rank of this job is there)")
    return finding
