"""What hosts said that nobody here understood."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject

_TOOLS: Final = ("npu-smi", "hccn_tool")  # which a host without NPUs has not
_SHOWN: Final = 300  # characters of the text


def check_unread(subject: Subject) -> Iterator[Finding]:
    """Answers that were not given, or not understood, with their text: what they would have told is not checked."""
    for host, report in subject.reported:
        for unread in report.unread:
            if subject.cluster.is_cpu and unread.source.startswith(_TOOLS):
                continue
            words = " ".join(unread.text.split())
            quoted = f": {words[:_SHOWN]}{'…' * (len(words) > _SHOWN)}" if words else ""
            yield Finding(
                Severity.WARN,
                Check.UNREAD,
                f"{unread.source}: {unread.reason}{quoted}",
                "an answer that can be understood: what it would have told was not checked",
                host=host.name,
            )
