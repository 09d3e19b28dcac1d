"""Fixes that a person decides on: by number for a rerun, or when a run that has failed offers one."""

from __future__ import annotations

import os
import select
import signal
import sys
from typing import TYPE_CHECKING, Final

from launcher.cli.diagnosing import diagnosed, failed_attempt
from launcher.cli.output import Printer, is_terminal, warn
from launcher.errors import NpuLaunchError, UsageError
from launcher.logs.safe import safe_line

if TYPE_CHECKING:
    from launcher.cli.interrupts import Interrupts
    from launcher.cli.view import RunView
    from launcher.diagnose.verdict import Proposed
    from launcher.runs.state import RunState
    from launcher.runs.store import RunDirectory

_QUESTION: Final = "[y]es, start it again with this, or [N]o? "


def numbered_fix(run: RunDirectory, state: RunState, number: int) -> Proposed:
    """The suggestion of this number about how a run ended. Raises UsageError for one that the run cannot carry out."""
    attempt = failed_attempt(state)
    if attempt is None:
        raise UsageError(f"run {run.id} is {state.phase.value}: there is nothing to fix", expected="a run that failed")
    found = diagnosed(run, attempt)
    proposed = found.suggestion(number)
    if proposed is None:
        known = len(found.suggestions)
        raise UsageError(
            f"there is no fix {number}",
            expected=f"one from 1 to {known}" if known else "a diagnosis that suggests one",
            remedy=f"npu-launch diagnose {run.id} shows what was found",
        )
    if not proposed.overrides:
        raise UsageError(
            f"fix {number} ({safe_line(proposed.title)}) is not one that a rerun can make",
            expected=f"a change of the recipe; {safe_line(proposed.refused)}",
            remedy=f"npu-launch diagnose {run.id} --explain",
        )
    return proposed


def words_of(proposed: Proposed) -> str:
    """What the record says of a fix that a person chose."""
    return f"fix {proposed.number}, {proposed.id}: {proposed.words}"


def offered_fix(run: RunDirectory, view: RunView, interrupts: Interrupts) -> Proposed | None:
    """The first suggestion that the run can carry out, if its recipe says `auto_fix: ask` and the person says yes."""
    if view.verdict is None or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return None
    proposed = next((each for each in view.verdict.suggestions if each.overrides), None)
    if proposed is None or not _asks(run):
        return None
    question = Printer(sys.stderr)
    question.text(f"\nfix {proposed.number}: {safe_line(proposed.words)}\n{_QUESTION}")
    return proposed if _is_yes(interrupts) else None


def carry_out(run: RunDirectory, view: RunView, proposed: Proposed) -> int:
    """Start a run again with a fix; the number of the attempt that this begins. Raises what `rerun` raises."""
    from launcher.supervise.launch import rerun

    rerun(run, overrides=proposed.overrides, why=words_of(proposed), warn=warn)
    return len(view.state.attempts) + 1


def _asks(run: RunDirectory) -> bool:
    from launcher.specs import load_recipe
    from launcher.specs.recovery import AutoFix

    try:
        return load_recipe(run.layout.recipe).restart.auto_fix is AutoFix.ASK
    except (NpuLaunchError, OSError):
        return False


def _is_yes(interrupts: Interrupts) -> bool:
    """What is typed; an interrupt is a no."""
    keyboard = sys.stdin.fileno()
    while True:
        readable, _, _ = select.select([keyboard, interrupts.fd], [], [])
        if interrupts.take() & {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}:
            return False
        if keyboard in readable:
            return os.read(keyboard, 1024).decode(errors="replace").strip().lower() in ("y", "yes")
