"""Which of the changes that a diagnosis suggests a run makes by itself; a pure function of its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from launcher.runs.events import Diagnosed, Proposal
from launcher.runs.state import AttemptState, RunState
from launcher.specs import Recipe
from launcher.specs.recovery import AutoFix

PATIENCE: Final = 20.0
"""Seconds that a restart waits for the diagnosis of the attempt before it, when it may bring a fix."""

_SLOW: Final = 60.0  # seconds to a first step, half of what HCCL waits for others by default (facts/env_hccl.md)


@dataclass(frozen=True)
class Bounded:
    """When a change may be made with nobody asked: for these causes, and so many times.

    `after_slow_start`: only when the record proves that ranks of this run come, and that they take their time.
    """

    causes: frozenset[str]
    times: int = 1
    after_slow_start: bool = False


BOUNDED: Final[Mapping[str, Bounded]] = {
    "halve_micro_batch": Bounded(frozenset({"device_oom"}), times=3),
    "force_v2_control": Bounded(frozenset({"tf_v1_control_op"})),
    "other_hccl_port": Bounded(frozenset({"hccl_port_in_use"})),
    "npu_port_range": Bounded(frozenset({"hccl_port_in_use"})),
    "other_port": Bounded(frozenset({"port_in_use"})),
    "longer_connect_timeout": Bounded(frozenset({"hccl_connect_timeout", "hccl_init_timeout"}), after_slow_start=True),
    "longer_exec_timeout": Bounded(frozenset({"hccl_exec_timeout_slow_rank"})),
}
"""By the names of suggestions in the rules."""


@dataclass(frozen=True)
class Applied:
    """A change that the next attempt begins with, and what is said of it."""

    fix: str
    overrides: tuple[str, ...]
    words: str


def awaits_diagnosis(attempt: AttemptState, recipe: Recipe) -> bool:
    """Whether what is decided about a failed attempt depends on what its logs say, which is not known yet."""
    return recipe.restart.auto_fix is AutoFix.APPLY and recipe.gang and attempt.diagnosed is None


def fix_for(state: RunState, attempt: AttemptState, recipe: Recipe) -> Applied | None:
    """The change to start again with after an attempt that failed; None where there is none left to be made.

    Only the best of the changes that a run can make counts: where that is another, memory in pieces for one, a person
    is to decide. The global batch stays the same, for the proposals see to that.
    """
    found = attempt.diagnosed
    if recipe.restart.auto_fix is not AutoFix.APPLY or not recipe.gang or found is None or not found.proposals:
        return None
    best = found.proposals[0]
    bounds = BOUNDED.get(best.id)
    made = times_made(state, best.id)
    if bounds is None or made >= bounds.times or not _is_meant(found, bounds, state):
        return None
    return Applied(best.id, best.overrides, _words(best, found, made + 1, bounds.times))


def times_made(state: RunState, fix: str) -> int:
    """How often a change was made since a person last started the run, or started it again."""
    made = 0
    for attempt in reversed(state.attempts):
        if attempt.answer_to is None:
            break
        made += attempt.answer_to.fix == fix
    return made


def _is_meant(found: Diagnosed, bounds: Bounded, state: RunState) -> bool:
    return found.cause in bounds.causes and (not bounds.after_slow_start or _starts_slowly(state))


def _starts_slowly(state: RunState) -> bool:
    """Whether an attempt of the run came to its first step, and took long to get there."""
    return any(
        attempt.launched is not None
        and attempt.first_step is not None
        and attempt.first_step.time - attempt.launched >= _SLOW
        for attempt in state.attempts
    )


def _words(proposal: Proposal, found: Diagnosed, nth: int, most: int) -> str:
    """`device_oom on rank 3: args.batch_size 8 -> 4 (fix 1 of 3)`."""
    where = f" on rank {found.rank}" if found.rank is not None else ""
    return f"{found.cause}{where}: {proposal.words} (fix {nth} of {most})"
