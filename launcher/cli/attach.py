"""Following a run until it has ended, with somebody at the keyboard or not."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING

from launcher.cli.diagnosing import await_verdict, make_ready
from launcher.cli.fixes import carry_out, offered_fix
from launcher.cli.following import Following, Screen
from launcher.cli.interrupts import Interrupts
from launcher.cli.output import Printer, complain, has_cursor, is_terminal, styled, talk
from launcher.cli.status_text import rank_lines
from launcher.cli.summary import phase_style, phase_word, summary, while_it_runs
from launcher.cli.view import RunView, last_words
from launcher.errors import ExitCode, NpuLaunchError
from launcher.logs.follow import SAFETY_TICK

if TYPE_CHECKING:
    from launcher.runs.store import RunDirectory

_QUESTION = "[s]top it, [d]etach, or [G]o on? "
_PAUSE_SECONDS = 0.02  # between two looks, so that chatty ranks cost hardly more than quiet ones


class Answer(Enum):
    """What to do about an interrupt."""

    STOP = "stop"
    DETACH = "detach"
    GO_ON = "go on"


def attach(run: RunDirectory, interrupts: Interrupts, *, since: int | None) -> ExitCode:
    """Follow a run until it has ended, then say how it went.

    `since` is the attempt that the caller started: the caller's interrupt is about the run, and asks first when a
    person sits there. For None the caller only looks on, and its interrupt ends the following. Returns the exit code
    of the run, or INTERRUPTED.
    """
    following = Following(run, _screen(), since=since)
    make_ready()
    try:
        left = _until_ended(following, interrupts, owner=since is not None)
    finally:
        following.close()
    if left is not None:
        return left
    view = replace(following.view, verdict=await_verdict(run, following.view.state, interrupts))
    tell_end(run, view)
    if since is not None and (fix := offered_fix(run, view, interrupts)) is not None:
        return attach(run, interrupts, since=carry_out(run, view, fix))
    return view.state.phase.exit_code


def tell_end(run: RunDirectory, view: RunView) -> None:
    """The summary of a run that has ended, on stderr; after a sweep all its ranks, which are to be compared."""
    first, *others = summary(view, last_words(run, view.state))
    word = phase_word(view.state.phase)
    coloured = styled(word, phase_style(view.state.phase), sys.stderr)
    ranks = ["", *rank_lines(view)] if view.combinations else []
    Printer(sys.stderr).lines([first.replace(word, coloured, 1), *others, *ranks])


def _screen() -> Screen:
    if not (has_cursor() and is_terminal(sys.stdout) and is_terminal(sys.stderr)):
        from launcher.cli.plain import PlainScreen

        return PlainScreen()
    from launcher.cli.live import LiveScreen

    return LiveScreen()


def _until_ended(following: Following, interrupts: Interrupts, *, owner: bool) -> ExitCode | None:
    """Follow; None when the run has ended, else the exit code of somebody who left it running."""
    stopping = False
    following.step()
    while not following.ended:
        following.wait(interrupts.fd)
        came = interrupts.take()
        news = following.step()
        if following.ended:
            break
        if signal.SIGHUP in came:
            return ExitCode.INTERRUPTED
        if not came & {signal.SIGINT, signal.SIGTERM}:
            if not news:
                time.sleep(_PAUSE_SECONDS)
            continue
        if not owner:
            return ExitCode.INTERRUPTED
        if stopping:
            following.screen.close()
            talk(f"npu-launch: not waiting for its end; {while_it_runs(following.view)}")
            return ExitCode.INTERRUPTED
        match _answer(following, interrupts, came):
            case Answer.STOP:
                stopping = _stop(following, came)
            case Answer.DETACH:
                talk(f"npu-launch: detached; {while_it_runs(following.view)}")
                return ExitCode.OK
            case Answer.GO_ON:
                pass
    return None


def _stop(following: Following, came: set[signal.Signals]) -> bool:
    """Ask for the run to stop, and say whether somebody took the request."""
    from launcher.supervise.launch import request_stop

    following.screen.close()
    try:
        request_stop(following.run, "SIGTERM" if signal.SIGTERM in came else "Ctrl-C")
    except NpuLaunchError as error:
        complain(str(error))
        return False
    talk("npu-launch: stopping the run; interrupt once more to leave without waiting for its end")
    return True


def _answer(following: Following, interrupts: Interrupts, came: set[signal.Signals]) -> Answer:
    """What an interrupt means: who is at a terminal is asked, everything else stops the run."""
    if signal.SIGTERM in came or not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return Answer.STOP
    following.screen.close()
    return _ask(following, interrupts)


def _ask(following: Following, interrupts: Interrupts) -> Answer:
    """Ask the person at the terminal; a second Ctrl-C is a clear answer, and the run's end makes the question void."""
    question = Printer(sys.stderr)
    question.text(f"\n{_QUESTION}")
    keyboard = sys.stdin.fileno()
    while not following.run.state().phase.ended:
        readable, _, _ = select.select([keyboard, interrupts.fd], [], [], SAFETY_TICK)
        came = interrupts.take()
        if came & {signal.SIGINT, signal.SIGTERM}:
            question.text("\n")
            return Answer.STOP
        if signal.SIGHUP in came:
            return Answer.DETACH
        if keyboard in readable:
            typed = os.read(keyboard, 1024).decode(errors="replace").strip().lower()
            if not typed:
                return Answer.GO_ON
            for answer in Answer:
                if answer.value.startswith(typed):
                    return answer
            question.text(_QUESTION)
    question.text("\n")
    return Answer.GO_ON
