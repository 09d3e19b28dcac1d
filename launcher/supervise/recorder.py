"""Writes a run's record for whoever holds its lock, on a disk that may be full for a while."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from launcher.runs.events import Event
from launcher.runs.store import RunDirectory

_log = logging.getLogger(__name__)
_DISK_PAUSE = 1.0  # seconds between attempts to write to a disk that is full


class Recorder:
    """Appends events; those that a full disk refuses wait in memory."""

    def __init__(self, run: RunDirectory) -> None:
        self._writer = run.writer()

    def record(self, events: Sequence[Event]) -> None:
        """Write events down, or keep them until there is room."""
        error = self._writer.append(events)
        if error is not None:
            _log.warning("the record cannot be written, %d events wait in memory: %s", len(events), error)

    async def write_down(self) -> None:
        """Return when the record is on disk, which on a full one means: when there is room again."""
        while (error := self._writer.append(())) is not None:
            _log.warning("the record cannot be written: %s", error)
            await asyncio.sleep(_DISK_PAUSE)

    def close(self) -> None:
        self._writer.close()
