"""What a rank's log says that it has not said before, at a bounded cost."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.logs.metrics import StepLoss, marked_lines, observe
from launcher.logs.progress import RankProgress, advance
from launcher.logs.survey import survey

_FIRST_LOOK = 1 << 20  # bytes of the head and the tail of a log that is there already
_NEWEST = 1 << 18  # bytes read at a look, the newest
_FIRST_LINES = 16  # of those that may say something: how long training is, where it resumed
_LAST_LINES = 32  # where it stands


@dataclass(frozen=True)
class Look:
    """What is new in a rank's log: written `at` the latest (seconds since the epoch).

    `stepped` says that a step line is among it, `marked` any line that tells of training.
    """

    rank: int
    at: float
    stepped: bool
    marked: bool


class LogSampler:
    """One rank's log, of which a chatty one costs no more than the newest part of what it wrote."""

    def __init__(self, rank: int, path: Path) -> None:
        self._rank = rank
        self._path = path
        self._size = -1
        self._offset = 0
        self._looked = 0.0
        self.progress = RankProgress()

    def look(self, now: float) -> Look | None:
        """What has come since the last look; None when the log has not grown."""
        try:
            status = os.stat(self._path)  # noqa: PTH116 - half the cost of Path.stat, once a second and rank
        except OSError:
            return None
        if status.st_size == self._size or not status.st_size:
            return None
        # A clock elsewhere (NFS) may differ from ours: what is new was written after the look before.
        at = max(min(status.st_mtime, now), self._looked)
        self._looked = now
        if self._size < 0:
            return self._first_look(status.st_size, at)
        if status.st_size < self._size:  # truncated
            self._offset = 0
        self._size = status.st_size
        seen = [found for line in self._new_lines() if (found := observe(line)) is not None]
        for found in seen:
            self.progress = advance(self.progress, found, at)
        return Look(self._rank, at, stepped=any(isinstance(found, StepLoss) for found in seen), marked=bool(seen))

    def _first_look(self, size: int, at: float) -> Look:
        found = survey(self._path, _FIRST_LOOK)
        self._size, self._offset, self.progress = size, found.offset, found.progress
        return Look(self._rank, at, self.progress.step is not None, self.progress != RankProgress())

    def _new_lines(self) -> Sequence[bytes]:
        """Of the newest bytes, whole lines that may say something: the first of them and the last."""
        start = max(self._offset, self._size - _NEWEST)
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ()
        try:
            block = os.pread(descriptor, self._size - start, start)
        except OSError:
            return ()
        finally:
            os.close(descriptor)
        first = block.find(b"\n") + 1 if start > self._offset else 0  # what was passed over may end in half a line
        whole = block.rfind(b"\n") + 1
        self._offset = start + whole
        lines = list(marked_lines(block[first:whole]))
        if len(lines) > _FIRST_LINES + _LAST_LINES:
            return [*lines[:_FIRST_LINES], *lines[-_LAST_LINES:]]
        return lines
