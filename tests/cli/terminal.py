"""A terminal with a command in it, for tests."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Sequence
from typing import Any

_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """`npu-launch` at a terminal of 80 columns; what it shows is kept, escape sequences left out."""

    def __init__(
        self,
        *arguments: str,
        rows: int = 24,
        command: Sequence[str] = (sys.executable, "-m", "launcher.cli.main"),
        **environment: str,
    ) -> None:
        self._master, slave = pty.openpty()
        self.resize(rows, 80)
        self.process = subprocess.Popen(
            [*command, *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **environment},
        )
        os.close(slave)
        self._raw = b""
        self._seen = 0

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    @property
    def settings(self) -> list[Any]:
        """What the terminal does with keys (termios)."""
        return termios.tcgetattr(self._master)

    @property
    def text(self) -> str:
        """All that was ever shown."""
        return _ESCAPES.sub(b"", self._raw).decode(errors="replace").replace("\r\n", "\n")

    @property
    def raw(self) -> bytes:
        return self._raw

    def expect(self, pattern: str, timeout: float = 30) -> str:
        """Wait for a text that comes after what was expected before; the text."""
        deadline = time.monotonic() + timeout
        while (match := re.compile(pattern).search(self.text, self._seen)) is None:
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.text[self._seen :]}"
            assert self._read(0.2), f"ended without {pattern!r}:\n{self.text[self._seen :]}"
        self._seen = match.end()
        return match.group()

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def interrupt(self) -> None:
        """Ctrl-C, as the terminal turns it into a signal."""
        self.type("\x03")

    def hang_up(self) -> int:
        """Close the window; the command's exit code."""
        os.close(self._master)
        self._master = -1
        return self.process.wait(30)

    def wait(self, timeout: float = 60) -> int:
        """Read until the command has ended; its exit code."""
        deadline = time.monotonic() + timeout
        while self._read(0.2):
            assert time.monotonic() < deadline, self.text
        return self.process.wait(10)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
        if self._master >= 0:
            os.close(self._master)

    def _read(self, timeout: float) -> bool:
        """Take in what is shown; False at the end."""
        readable, _, _ = select.select([self._master], [], [], timeout)
        if not readable:
            return self.process.poll() is None
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: nobody has the terminal open any more
            return False
        self._raw += data
        return bool(data)
