"""Faults that ranks that go on have shown in their logs, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from launcher.cli.view import RunView
from launcher.cli.wording import ranks_phrase
from launcher.logs.safe import safe_line
from launcher.runs.events import FaultSeen

_SHOWN = 2
_WIDTH = 200


def faults(view: RunView) -> Iterator[tuple[str, str]]:
    """Label and text of what was seen in the last attempt, the latest first."""
    attempt = view.state.attempt
    by_cause: dict[str, list[FaultSeen]] = {}
    for fault in view.state.faults:
        if attempt is not None and fault.attempt == attempt.number:
            by_cause.setdefault(fault.cause, []).append(fault)
    if by_cause:
        hidden = len(by_cause) - _SHOWN
        more = f"; and {hidden} before" if hidden > 0 else ""
        latest = list(by_cause.values())[: -_SHOWN - 1 : -1]
        yield "fault", "; ".join(map(fault_words, latest)) + more


def fault_words(alike: Sequence[FaultSeen]) -> str:
    """`ranks 0-1: the NPU's memory is used up (device_oom): ranks/0/stdout.log:118`, of faults of one cause."""
    first = alike[0]
    ranks = ranks_phrase(sorted({fault.rank for fault in alike}))
    file = first.file.removeprefix(f"attempts/{first.attempt}/")
    return safe_line(f"{ranks}: {first.words} ({first.cause}): {file}:{first.line}", _WIDTH)
