"""What is left of an attempt though its grace is over: a kill that does not work keeps a run stopping, silently."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.hosts.process_state import process_state
from launcher.runs.lock import is_held
from launcher.runs.state import RankPhase, RunState

if TYPE_CHECKING:
    from launcher.runs.store import RunDirectory

_REAPING = 1.0  # seconds beyond the grace in which what was killed is reaped


@dataclass(frozen=True)
class Lingering:
    """Ranks with the letter that the kernel has for what they do, empty for those of another machine.

    `hosts` have no rank left, but something that ranks or services left behind.
    """

    ranks: Mapping[int, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()


NOTHING = Lingering()


def lingering(run: RunDirectory, state: RunState, now: float) -> Lingering:
    """What is still there of a stopped attempt. A rank that its shim has not reaped keeps its process id."""
    attempt = state.attempt
    if attempt is None or attempt.stopping_since is None or not attempt.busy_hosts or state.phase.ended:
        return NOTHING
    if now - attempt.stopping_since <= _grace(run.layout.attempt(attempt.number).plan) + _REAPING:
        return NOTHING
    here = {host for host in attempt.busy_hosts if is_held(run.shim_lock(host))}
    ranks = {}
    for number in state.ranks_in(RankPhase.RUNNING):
        rank = state.ranks[number]
        letter = process_state(rank.pid) if rank.host in here and rank.pid is not None else ""
        if letter is not None:
            ranks[number] = letter
    with_ranks = {state.ranks[number].host for number in ranks}
    return Lingering(ranks, tuple(sorted(attempt.busy_hosts - with_ranks)))


@lru_cache(maxsize=8)
def _grace(plan: Path) -> float:
    """Seconds between SIGTERM and SIGKILL; for ever when the plan cannot be read."""
    try:
        return float(json.loads(plan.read_text(encoding="utf-8"))["grace"])
    except (OSError, ValueError, KeyError, TypeError):
        return math.inf
