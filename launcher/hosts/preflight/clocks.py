"""Whether the hosts agree on the time."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median_low
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject

TOLERANCE: Final = 1.0  # seconds; what NTP keeps hosts within many times over


def check_clocks(subject: Subject) -> Iterator[Finding]:
    """Hosts whose clocks are off by more than a second for certain, whatever the asking took.

    The middle of all clocks is the reference, this machine's among them, so that of two hosts the odd one is named.
    """
    spans = {host.name: report.clock.skew for host, report in subject.reported}
    reference = median_low([0.0, *((least + most) / 2 for least, most in spans.values())])
    for name, (least, most) in spans.items():
        ahead = (least + most) / 2 - reference
        if least - reference > TOLERANCE or reference - most > TOLERANCE:
            yield Finding(
                Severity.WARN,
                Check.CLOCKS,
                f"the clock is {_span(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the others'",
                f"at most {TOLERANCE:g} s (this was measured to {(most - least) / 2:.2g} s): logs are merged by time",
                "chronyc makestep, or timedatectl set-ntp true",
                name,
            )


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
