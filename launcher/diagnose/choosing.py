"""Which of the findings of one log is the cause."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from launcher.diagnose.finding import Finding, Role

_NEARER: Final = {Role.ROOT_CANDIDATE: 2, Role.CASCADE: 1, Role.CONFIRMATION: 0}


def choose(findings: Sequence[Finding]) -> Finding | None:
    """The finding that says best why one process failed: by role, weight, and place; None where there is no fault.

    For logs of several ranks, time and who waited for whom come first: see launcher/diagnose/root.
    """
    faults = [finding for finding in most_telling(findings) if finding.role is not Role.NOISE]
    return max(faults, key=lambda finding: (_NEARER[finding.role], finding.weight, -finding.line), default=None)


def most_telling(findings: Sequence[Finding]) -> list[Finding]:
    """Of the findings in one line the heaviest, in the order given: a sentence has one meaning, that may be noise."""
    heaviest: dict[tuple[str, int], Finding] = {}
    for finding in findings:
        place = (finding.file.name, finding.line)
        if place not in heaviest or finding.weight > heaviest[place].weight:
            heaviest[place] = finding
    return [finding for finding in findings if heaviest[finding.file.name, finding.line] is finding]
