"""Hands on what a command on another host says and what is typed here, byte by byte, until it has ended."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Protocol, TextIO

from launcher.cli.interrupts import Interrupts
from launcher.cli.output import has_cursor, is_terminal
from launcher.hosts.session import Session, Window

_INTERRUPT_KEY = b"\x03"
_UNANSWERED = 3  # interrupts in a row to which the other side says nothing: it is not waited for any more
_TYPED = 64 * 1024


class PassOn(Protocol):
    """Hands a signal to a command on another host, which runs at a terminal there or has pipes."""

    def __call__(self, session: Session, came: signal.Signals, *, at_terminal: bool) -> None: ...


class Left(Exception):
    """Somebody did not wait for the end, or closed the terminal."""


def window() -> Window | None:
    """The terminal that we have for ourselves; None when any of our streams is something else."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    if not (has_cursor() and all(map(is_terminal, streams)) and os.tcgetpgrp(0) == os.getpgrp()):
        return None
    size = os.get_terminal_size(sys.stdout.fileno())
    return Window(os.environ["TERM"], size.columns, size.lines)


def relay(session: Session, interrupts: Interrupts, pass_on: PassOn, *, at_terminal: bool) -> int:
    """Its exit code, as a shell has it; `pass_on` takes the signals that come here and are meant for it.

    Raises InfrastructureError when the host is lost, BrokenPipeError when nobody reads what it says, and Left.
    """
    if not at_terminal:
        return _relay(session, interrupts, pass_on, None)
    with _raw(sys.stdin):
        return _relay(session, interrupts, pass_on, sys.stdin.fileno())


def _relay(session: Session, interrupts: Interrupts, pass_on: PassOn, keyboard: int | None) -> int:
    poll = select.poll()
    for descriptor in (session.fileno(), interrupts.fd, *(() if keyboard is None else (keyboard,))):
        poll.register(descriptor, select.POLLIN)
    unanswered = 0
    while (said := session.take()) is not None:
        if any(said):
            unanswered = 0
            _write(sys.stdout, said[0])
            _write(sys.stderr, said[1])
        ready = {descriptor for descriptor, _ in poll.poll(0 if any(said) else None)}
        for came in interrupts.take():
            if came is signal.SIGWINCH:
                if keyboard is not None and (resized := window()) is not None:
                    session.resize(resized)
            elif came is signal.SIGHUP:
                raise Left
            else:
                unanswered += 1
                pass_on(session, came, at_terminal=keyboard is not None)
        if keyboard in ready:
            typed = _typed(keyboard)
            unanswered += typed == _INTERRUPT_KEY
            session.send(typed)
        if unanswered >= _UNANSWERED:
            raise Left
    code = session.code()
    return code if code >= 0 else 128 - code


@contextmanager
def _raw(terminal: TextIO) -> Iterator[None]:
    """Every key as it is, Ctrl-C too, and nothing shown of itself: the terminal on the other side sees to that."""
    before = termios.tcgetattr(terminal)
    try:
        tty.setraw(terminal, termios.TCSADRAIN)
        yield
    finally:
        with suppress(termios.error):  # it was closed
            termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _typed(keyboard: int) -> bytes:
    """What has been typed. Raises Left when the terminal was closed."""
    with suppress(OSError):
        if typed := os.read(keyboard, _TYPED):
            return typed
    raise Left


def _write(stream: TextIO, data: bytes) -> None:
    if data:
        try:
            stream.buffer.write(data)
            stream.buffer.flush()
        except OSError:
            if stream is sys.stdout:  # what is said beside the data needs no listener
                raise
