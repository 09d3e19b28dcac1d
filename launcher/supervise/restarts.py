"""Whether a run may start ranks once more, and how long it waits until then."""

from __future__ import annotations

import hashlib

from launcher.runs.events import Cause
from launcher.runs.state import AttemptState, RunState
from launcher.specs import Recipe

_LONGEST_BACKOFF = 60.0  # seconds
_JITTER = 0.25  # so that many runs which failed together do not all come back together
_LONG_ATTEMPT = 1800.0  # seconds; one that lasts as long has come on, even if its log has no step lines that we know


def nth_restart(state: RunState, recipe: Recipe) -> str:
    """The next restart in words: `restart 2 of 3 (restart.max_restarts)`."""
    return f"restart {sum(state.spent.values()) + 1} of {recipe.restart.max_restarts} (restart.max_restarts)"


def used_up(state: RunState, recipe: Recipe, cause: Cause) -> str | None:
    """Which limit forbids another restart for this cause, in words; None when there is one left."""
    limits = recipe.restart
    if sum(state.spent.values()) >= limits.max_restarts:
        return f"{limits.max_restarts} restarts are used up (restart.max_restarts)"
    budget = limits.budgets.of(cause.value)
    if budget is not None and state.spent.get(cause, 0) >= budget:
        return f"{budget} restarts for {cause.value} failures are used up (restart.budgets.{cause.value})"
    return None


def restarts_without_progress(state: RunState) -> int:
    """How many restarts in a row, up to now, did no step that had not been done before."""
    tells_steps = any(attempt.last_step is not None for attempt in state.attempts)
    count = 0
    later: AttemptState | None = None
    for attempt in reversed(state.attempts):
        answers_to_fix = attempt.answer_to is not None and attempt.answer_to.fix is not None
        if attempt.restarts == 0 or answers_to_fix or _came_on(attempt, later, tells_steps):
            break
        count += 1
        later = attempt
    return count


def _came_on(attempt: AttemptState, later: AttemptState | None, tells_steps: bool) -> bool:
    """Whether an attempt did something new: a step, a checkpoint, or, where no log tells steps, work for a long time.

    That it left a new checkpoint is seen by where the `later` attempt went on from.
    """
    if attempt.made_progress or (later is not None and not _origins(later) <= _origins(attempt)):
        return True
    if tells_steps:
        return False
    until = attempt.failed if attempt.failed is not None else attempt.ended
    return until is not None and until - attempt.started >= _LONG_ATTEMPT


def _origins(attempt: AttemptState) -> set[str]:
    """The checkpoints that its ranks went on from."""
    return {*([] if attempt.resume_from is None else [attempt.resume_from]), *attempt.own_checkpoints}


def stalled(state: RunState, recipe: Recipe) -> str | None:
    """That the last restarts came to nothing, and there were too many of them, in words; None otherwise."""
    limit = recipe.restart.without_progress
    if not limit or restarts_without_progress(state) < limit:
        return None
    assert state.attempt is not None
    reached = f" beyond step {state.attempt.high_water}" if state.attempt.high_water else ""
    return f"{limit} restarts in a row came to no new step{reached} (restart.without_progress)"


def backoff(state: RunState, recipe: Recipe, before: int) -> float:
    """Seconds to wait when so many restarts came to nothing: none at first, then more and more.

    The jitter follows from the run and the attempt, so that the same state always gives the same answer.
    """
    if before == 0:
        return 0.0
    assert state.attempt is not None
    longest = max(_LONGEST_BACKOFF, recipe.restart.backoff)
    seconds = min(recipe.restart.backoff * 2.0 ** min(before - 1, 30), longest)
    digest = hashlib.sha256(f"{state.run}/{state.attempt.number}".encode()).digest()
    return seconds * (1 + _JITTER * (digest[0] / 127.5 - 1))
