"""Whether the job fits onto the devices of the cluster."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.hosts.preflight.finding import Check, Finding, Severity, finding_of
from launcher.hosts.preflight.subject import Subject
from launcher.planning.topology import topology_findings


def check_placement(subject: Subject) -> Iterator[Finding]:
    """Too few devices for the ranks, and sets of devices that a server does not allow."""
    if subject.misfit is not None:
        yield finding_of(subject.misfit, Check.PLACEMENT)
    versions = {report.packages["cann"].version for _, report in subject.reported if "cann" in report.packages}
    cann = versions.pop() if len(versions) == 1 else None
    for broken in topology_findings(subject.seats, subject.cluster, cann):
        yield Finding(
            subject.of_gang(Severity.REFUSE) if broken.is_refused else Severity.WARN,
            Check.PLACEMENT,
            f"the job has {broken.seen}",
            broken.rule,
            broken.remedy,
            source=broken.source,
        )
