"""Where lines of logs go: to stdout, or to a command on another machine that follows them there."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import Protocol

from launcher.cli.log_cursor import Cursor, Mark, encoded
from launcher.errors import UsageError


class Output(Protocol):
    """Takes what is to be seen, and is told how far that goes."""

    def write(self, data: bytes) -> None:
        """Whole lines."""

    def mark(self, cursor: Mark, /) -> None:
        """All that was written so far leads to this place in the logs, from which another command can go on."""


class Stdout:
    """Shows lines at once. Raises BrokenPipeError when nobody reads them any more."""

    def __init__(self, *, as_they_are: bool) -> None:
        self._as_they_are = as_they_are or (sys.stdout.encoding or "").lower() == "utf-8"

    def write(self, data: bytes) -> None:
        if self._as_they_are:
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
        else:
            sys.stdout.write(data.decode("utf-8", "replace"))

    def mark(self, _cursor: Mark, /) -> None:
        """Nobody needs to know the place; but they want to see what there is."""
        sys.stdout.flush()


class Resumed:
    """The past of a following, of which `shown` bytes have been seen: the same past begins with the same bytes."""

    def __init__(self, output: Output, shown: int) -> None:
        self._output = output
        self._shown = shown
        self._written = 0

    def write(self, data: bytes) -> None:
        seen = max(self._shown - self._written, 0)
        self._written += len(data)
        if seen < len(data):
            self._output.write(data[seen:])

    def mark(self, _cursor: Mark, /) -> None:
        """It is a place in the past."""
        if self._written >= self._shown:
            self._output.mark({"shown": self._written})


@dataclass(frozen=True)
class Relayed:
    """What a command on another machine asks for, for which lines are read here: with colours, from this place on."""

    colours: bool
    cursor: Cursor | None

    @classmethod
    def decoded(cls, text: str) -> Relayed:
        """One that `encoded` made. Raises UsageError for anything else."""
        colours, _, cursor = text.partition(",")
        try:
            return cls(colours == "colours", Cursor.decoded(cursor) if cursor else None)
        except ValueError as error:
            raise UsageError(str(error), where="--frames", expected="what npu-launch hands itself") from None

    @staticmethod
    def encoded(marks: Mark, *, colours: bool) -> str:
        """The same as a word: of a following with the sum of these marks."""
        return f"{'colours' if colours else 'plain'},{encoded(marks) if marks else ''}"


class Frames:
    """Hands lines over in frames, of which none counts before it is there whole.

    A frame is a line of JSON, `{"cursor": ..., "bytes": n}`, and then n bytes to be shown.
    """

    def __init__(self) -> None:
        self._pending: list[bytes] = []

    def write(self, data: bytes) -> None:
        self._pending.append(data)

    def mark(self, cursor: Mark, /) -> None:
        data = b"".join(self._pending)
        self._pending.clear()
        head = json.dumps({"cursor": cursor, "bytes": len(data)}).encode()
        sys.stdout.buffer.write(head + b"\n" + data)
        sys.stdout.buffer.flush()
