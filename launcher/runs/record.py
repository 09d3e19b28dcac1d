"""The record of a run on disk: one event a line, appended by one supervisor at a time, read by anybody."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from launcher.runs.events import Event, decode, encode


class RecordReader:
    """Reads a growing record; each call gives the events that have come since the call before."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._rest = b""

    def read(self) -> list[Event]:
        """The new events, oldest first; a line still being written waits for its end."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [event for line in lines if (event := decode(line)) is not None]


class RecordWriter:
    """Appends events. What a full disk refuses is kept in memory and written before anything newer.

    A record that ends in half a line (its writer lost power) gets a newline first, so that the next event is whole.
    """

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        size = os.fstat(self._fd).st_size
        torn = size > 0 and os.pread(self._fd, 1, size - 1) != b"\n"
        self._pending = b"\n" if torn else b""

    def append(self, events: Iterable[Event]) -> OSError | None:
        """Write events; the error that kept them in memory, or None when all are on disk."""
        self._pending += b"".join(map(encode, events))
        try:
            while self._pending:
                written = os.write(self._fd, self._pending)
                self._pending = self._pending[written:]
        except OSError as error:
            return error
        return None

    def close(self) -> None:
        os.close(self._fd)
        self._fd = -1

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self.close()
