"""A log that is too long, as the pieces of it that are kept, each gap with its note."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

from launcher.logs.cutting import Gap, cut, note, room_for_errors
from launcher.logs.error_places import error_places
from launcher.logs.packed import open_log

_PIECE = 1 << 20


def cut_text(path: Path, most: int, place: str | None, deadline: float) -> Iterator[bytes]:
    """At most `most` bytes of a log, whatever form it lies in: all of it, or head, first errors and tail.

    `place` says in the notes who has the rest (None: nobody); errors are looked for until the `deadline` (monotonic
    seconds). Raises OSError.
    """
    with open_log(path) as log:
        size = log.seek(0, os.SEEK_END)
        log.seek(0)
        errors = list(error_places(log, size, room_for_errors(most), deadline)) if size > most else []
        for part in cut(size, most, errors, place):
            if isinstance(part, Gap):
                yield note(part, place)
            else:
                yield from _span(log, part.offset, part.offset + part.length)


def _span(log: io.BufferedReader, begin: int, end: int) -> Iterator[bytes]:
    log.seek(begin)
    while log.tell() < end and (piece := log.read(min(_PIECE, end - log.tell()))):
        yield piece
