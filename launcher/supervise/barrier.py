"""When a gang on several hosts starts, and how long hosts wait for each other: at its start, and at its end."""

from __future__ import annotations

from collections.abc import Set
from heapq import nsmallest
from typing import NamedTuple

from launcher.runs.state import AttemptState, RunState

_READY_LIMIT = 300.0  # seconds that hosts wait for each other before they start; a first import may take 120
_SERVICE_LINGER = 5.0  # seconds that services have to end by themselves once all ranks have
_NAMED = 8


class Deadline(NamedTuple):
    """When an attempt is stopped (seconds since the epoch) if nothing changes, and for what reason."""

    reason: str
    due: float


def may_go(state: RunState, attempt: AttemptState) -> bool:
    """Whether the ranks of an attempt that holds them back can start on all its hosts, as far as anybody knows."""
    return (
        not attempt.released
        and not attempt.unready_hosts
        and not attempt.stopping_hosts
        and attempt.hosts <= attempt.busy_hosts
        and attempt.hosts.isdisjoint(state.unwell_hosts)
    )


def missing_hosts(attempt: AttemptState) -> str | None:
    """The hosts without which an attempt cannot start any more, in words; None when all are still there."""
    gone = frozenset[str]() if attempt.released else attempt.hosts - attempt.busy_hosts
    return _words(gone) if gone else None


def deadline(state: RunState, attempt: AttemptState) -> Deadline | None:
    """When an attempt is stopped that waits for a host to get ready, or has nothing left but services.

    The shim of a host that has all the ranks ends their services by itself; with several hosts none of them knows.
    """
    if attempt.unready_hosts:
        limit = f"within {_READY_LIMIT:.0f} s"
        return Deadline(f"{_words(attempt.unready_hosts)} did not get ready {limit}", attempt.started + _READY_LIMIT)
    if state.running_on or not attempt.released or len(attempt.hosts) == 1:
        return None
    last = attempt.started
    for rank in (state.ranks[number] for number in attempt.ranks if number in state.ranks):
        if rank.ended is None:
            return None
        last = max(last, rank.ended)
    return Deadline("all ranks have ended", last + _SERVICE_LINGER)


def _words(hosts: Set[str]) -> str:
    """`hosts h1, h2 and 3 more`."""
    shown = nsmallest(_NAMED, hosts)
    more = f" and {len(hosts) - len(shown)} more" if len(hosts) > len(shown) else ""
    return f"host{'s' if len(hosts) > 1 else ''} {', '.join(shown)}{more}"
