"""Where the command's words go: data to stdout, talk to stderr."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import TextIO


def put(text: str) -> None:
    """Data, for a person or a pipe. Raises BrokenPipeError when nobody reads it any more."""
    sys.stdout.write(text + "\n")


def talk(text: str) -> None:
    """Something about the data; whether anybody hears it changes nothing."""
    Printer(sys.stderr).line(text)


def tell(text: str) -> None:
    """How far something is, in a line of ours."""
    from launcher.logs.safe import safe_line

    talk("\n".join(map(safe_line, f"npu-launch: {text}".split("\n"))))


def warn(text: str) -> None:
    """What is doubtful, in a line of ours."""
    tell(f"warning: {text}")


def complain(text: str) -> None:
    """An error, of which every line is made harmless: it may quote what somebody typed or a file holds."""
    from launcher.logs.safe import safe_line

    lines = f"npu-launch: error: {text}".replace("\r", "\\x0d").split("\n")
    talk("\n".join(map(safe_line, lines)))


def open_closed_streams() -> None:
    """Put /dev/null where a standard descriptor is closed, as cron may do, so that no other file lands there."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def accept_any_text() -> None:
    """Write what the terminal's encoding has no character for as an escape instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not complain about it at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except ValueError:  # closed
        return False


def columns() -> int:
    """How wide a line on stdout may be; 80 cells where that is no terminal."""
    if not is_terminal(sys.stdout):
        return 80
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except OSError:
        return 80


def has_cursor() -> bool:
    """Whether a terminal of this environment can do more than add lines."""
    return os.environ.get("TERM", "dumb") != "dumb"


class Printer:
    """Writes lines to a stream for as long as somebody reads them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._open = True

    def line(self, text: str) -> None:
        self.lines([text])

    def lines(self, texts: Sequence[str]) -> None:
        if texts:
            self.text("\n".join(texts) + "\n")

    def text(self, text: str) -> None:
        """Exactly this, with no line end added."""
        if not self._open:
            return
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):
            self._open = False


_STYLES = {"good": "\x1b[1;32m", "bad": "\x1b[1;31m", "warn": "\x1b[1;33m"}


def shows_colours(stream: TextIO) -> bool:
    """Whether a stream is a terminal that knows colours, and nobody has asked for none (NO_COLOR)."""
    return not os.environ.get("NO_COLOR") and has_cursor() and is_terminal(stream)


def styled(text: str, style: str, stream: TextIO) -> str:
    """The text in a colour (good, bad or warn) where the stream shows colours."""
    return f"{_STYLES[style]}{text}\x1b[0m" if shows_colours(stream) else text
