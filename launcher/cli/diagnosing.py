"""Why an attempt failed, as far as a command needs to know it: what is kept, or what is found now."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from launcher.cli.output import talk
from launcher.logs.safe import safe_line
from launcher.runs.state import RunPhase, RunState

if TYPE_CHECKING:
    from launcher.cli.interrupts import Interrupts
    from launcher.diagnose.verdict import Verdict
    from launcher.runs.store import RunDirectory

_SETTLED: Final = 10.0  # seconds after which a run has started, and what is shown of it changes slowly
_BAD: Final = (RunPhase.FAILED, RunPhase.GAVE_UP, RunPhase.LOST)


def make_ready() -> None:
    """Load, in a while, what a diagnosis needs: a run that fails after that is explained at once."""

    def load() -> None:
        time.sleep(_SETTLED)
        with suppress(Exception):  # which the diagnosis tells, if there is to be one
            from launcher.diagnose import of_run

            of_run.make_ready()

    threading.Thread(target=load, daemon=True, name="rules").start()


def failed_attempt(state: RunState) -> int | None:
    """The number of the attempt that ended a run badly; None for any other run."""
    attempt = state.attempt
    if attempt is None or state.phase not in _BAD or (attempt.failed is None and attempt.lost_host is None):
        return None
    return attempt.number


def kept_verdict(run: RunDirectory, state: RunState) -> Verdict | None:
    """What is kept of why a run ended badly."""
    attempt = failed_attempt(state)
    if attempt is None:
        return None
    from launcher.diagnose.kept import kept

    return kept(run, attempt)


def diagnosed(run: RunDirectory, attempt: int) -> Verdict:
    """What is kept of an attempt that has ended, or is found now and kept. Raises NpuLaunchError, OSError."""
    from launcher.diagnose.kept import make_once

    def make() -> Verdict:
        from launcher.diagnose.of_run import diagnose_attempt  # which loads all rules

        return diagnose_attempt(run, attempt)

    return make_once(run, attempt, make)


def await_verdict(run: RunDirectory, state: RunState, interrupts: Interrupts) -> Verdict | None:
    """The same for a run that has just ended badly; None where nothing is found, or somebody does not wait for it."""
    from launcher.cli.meanwhile import done_meanwhile

    attempt = failed_attempt(state)
    if attempt is None:
        return None
    from launcher.diagnose.kept import kept

    if (found := kept(run, attempt)) is not None:
        return found

    trouble: list[Exception] = []

    def work() -> None:
        try:
            diagnosed(run, attempt)
        except Exception as error:  # whatever it is, what counts is how the run ended
            trouble.append(error)

    done_meanwhile(work, interrupts, "reading the logs for why it failed; Ctrl-C leaves that")
    if trouble:
        talk("\n".join(map(safe_line, f"npu-launch: the logs were not diagnosed: {trouble[0]}".split("\n"))))
    return kept(run, attempt)
