"""Follows the logs of a run that lives on another host, over connections of which any may be lost."""

from __future__ import annotations

import json
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING

from launcher.cli.interrupts import Interrupts
from launcher.cli.log_cursor import Mark, summed
from launcher.cli.log_output import Relayed
from launcher.cli.output import shows_colours, talk
from launcher.errors import ExitCode, InfrastructureError

if TYPE_CHECKING:
    import typer

    from launcher.cli.delegation import Away
    from launcher.hosts.session import Session

_FIRST_PAUSE = 1.0  # seconds between two attempts to reach the host again, then twice as long each time ...
_LONGEST_PAUSE = 15.0  # ... up to this

Begin = Callable[[str], AbstractContextManager["Session"]]
"""Begins the command on the other host, which goes on from the place that the word tells of."""


def follow_from_afar(away: Away, context: typer.Context) -> int:
    """Carry out `npu-launch logs -f` there, and go on from where it came to whenever the host was lost.

    If the run has another home by then, it goes on there. Its exit code; INTERRUPTED for somebody who did not wait for
    the end. Raises InfrastructureError for a host that is not reached to begin with.
    """
    from launcher.cli.delegation import elsewhere, spelled

    words = spelled(context, away.run.id)

    @contextmanager
    def begin(frames: str) -> Iterator[Session]:
        now = elsewhere(away.run, to_read=True) or away
        with now.ways, closing(now.begin((str(context.command.name), "--frames", frames, *words))) as session:
            yield session

    with Interrupts() as interrupts:
        return follow_frames(begin, interrupts, f"the connection to {away.host.name}")


def follow_frames(begin: Begin, interrupts: Interrupts, connection: str) -> int:
    """Show each frame once, however often the command has to begin again; its exit code, or INTERRUPTED."""
    marks: Mark = {}
    pause = 0.0
    while True:
        reader = _Reader(marks)
        try:
            with begin(Relayed.encoded(marks, colours=shows_colours(sys.stdout))) as session:
                code = _until_ended(session, reader, interrupts)
            if code >= 0 or not reader.marks:
                return code if code >= 0 else 128 - code
            lost = "the command there was killed"
        except InfrastructureError as error:
            if not reader.marks:
                raise
            lost = f"{connection} was lost: {error.what}"
        if reader.marks is not marks or not pause:
            talk(f"npu-launch: {lost}; trying again")
            pause = 0.0
        marks = reader.marks
        pause = min(max(2 * pause, _FIRST_PAUSE), _LONGEST_PAUSE)
        if _interrupted(interrupts, pause):
            return ExitCode.INTERRUPTED


class _Reader:
    """Takes frames apart. `marks` is the place that whole ones have led to."""

    def __init__(self, marks: Mark) -> None:
        self.marks = marks
        self._rest = bytearray()

    def take(self, data: bytes) -> None:
        """Show what became whole. Raises BrokenPipeError when nobody reads it."""
        self._rest += data
        while (end := self._rest.find(b"\n")) >= 0:
            head = json.loads(self._rest[:end])
            begin, size = end + 1, int(head["bytes"])
            if len(self._rest) < begin + size:
                return
            sys.stdout.buffer.write(self._rest[begin : begin + size])
            sys.stdout.buffer.flush()
            del self._rest[: begin + size]
            self.marks = summed(self.marks, head["cursor"])


def _until_ended(session: Session, reader: _Reader, interrupts: Interrupts) -> int:
    poll = select.poll()
    poll.register(session.fileno(), select.POLLIN)
    poll.register(interrupts.fd, select.POLLIN)
    while (said := session.take()) is not None:
        out, err = said
        if out:
            reader.take(out)
        if err:
            talk(err.decode(errors="replace").rstrip("\n"))
        if not any(said):
            poll.poll()
        if interrupts.take() - {signal.SIGWINCH}:
            return ExitCode.INTERRUPTED
    return session.code()


def _interrupted(interrupts: Interrupts, seconds: float) -> bool:
    """Whether somebody did not want to wait so long."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        select.select([interrupts.fd], [], [], left)
        if interrupts.take() - {signal.SIGWINCH}:
            return True
    return False
