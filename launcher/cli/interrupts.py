"""Signals as values that a loop can wait for, instead of exceptions anywhere."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

_WATCHED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH)


class Interrupts:
    """While it is entered, signals wait in a pipe: poll `fd`, then `take` them.

    A signal that this process was told to ignore stays ignored: nohup and background jobs of a shell rely on that.
    """

    def __enter__(self) -> Interrupts:
        self.fd, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._handlers: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {
            number: handler for number in _WATCHED if (handler := signal.getsignal(number)) != signal.SIG_IGN
        }
        for number in self._handlers:
            signal.signal(number, _leave_to_the_pipe)
        self._wakeup = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write_end)

    def take(self) -> set[signal.Signals]:
        """The signals that have come since the last call."""
        try:
            return {signal.Signals(number) for number in os.read(self.fd, 4096)}
        except BlockingIOError:
            return set()


def _leave_to_the_pipe(_number: int, _frame: FrameType | None) -> None:
    """Python writes the number to the wakeup descriptor only for signals that have a handler."""
