"""The lines of a growing log that a scanner points at, each once, at a bounded cost a look."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.logs.blocks import blocks

if TYPE_CHECKING:
    from launcher.logs.scan import Match, Scanner


class Appended:
    """One log. A file that became shorter, or that another was put in the place of, is read from its beginning."""

    def __init__(self, path: Path, scanner: Scanner) -> None:
        self._path = path
        self._scanner = scanner
        self._file_id = 0
        self._offset = 0
        self._line = 1

    def look(self, most: int) -> Sequence[Match]:
        """The lines among those that have been ended since the last look, of `most` bytes at most.

        The beginning of a line waits for its end, unless it alone is longer than that. A log that cannot be read has
        none.
        """
        from launcher.logs.scan import matching_lines

        with suppress(OSError):
            status = os.stat(self._path)  # noqa: PTH116 - half the cost of Path.stat, once a second and log
            if status.st_ino != self._file_id or status.st_size < self._offset:
                self._file_id, self._offset, self._line = status.st_ino, 0, 1
            if status.st_size == self._offset:
                return ()
            end, lines = self._whole_lines(min(status.st_size, self._offset + most), most)
            found = [
                match._replace(number=self._line + match.number - 1)
                for match in matching_lines(self._path, self._scanner, self._offset, end)
            ]
            self._offset, self._line = end, self._line + lines
            return found
        return ()

    def _whole_lines(self, until: int, most: int) -> tuple[int, int]:
        """Where the last whole line before an offset ends, and how many lines there are up to it. Raises OSError."""
        end, lines = self._offset, 0
        for offset, block in blocks(self._path, self._offset, until):
            whole = block.rfind(b"\n") + 1
            if whole:
                end, lines = offset + whole, lines + block.count(b"\n")
        return (until, 0) if end == self._offset and until - end >= most else (end, lines)
