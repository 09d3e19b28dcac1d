"""Binds ranks to the processors that the plan names, as far as this host lets us."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

Process = dict[str, Any]


def bindable(processes: Sequence[Process]) -> tuple[list[Process], str]:
    """The same processes with those of their processors that this shim may use itself, and a sentence if any lacks.

    A cgroup, or whoever started us, may have left us a part of them; a process that would have none is not bound.
    """
    allowed = os.sched_getaffinity(0)
    found, without, fewer = [], 0, 0
    for process in processes:
        wanted = process.get("cpus")
        cpus = [cpu for cpu in wanted or () if cpu in allowed]
        without += bool(wanted) and not cpus
        fewer += bool(cpus) and len(cpus) < len(wanted or ())
        found.append({**process, "cpus": cpus or None})
    parts = [
        f"{count} rank{'s are' if count > 1 else ' is'} {how}"
        for count, how in ((without, "not bound"), (fewer, "bound to fewer processors than planned"))
        if count
    ]
    reason = f": of this host's processors we may use {_spans(sorted(allowed))}"
    return found, " and ".join(parts) + reason if parts else ""


def _spans(numbers: Sequence[int]) -> str:
    """Ascending numbers as `0-3,6`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)
