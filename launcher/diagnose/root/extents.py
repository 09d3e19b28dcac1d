"""From when to when a log was written, by its first and its last line with a stamp."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from launcher.diagnose.root.collected import Extent
from launcher.logs.record import LogFile, Source

if TYPE_CHECKING:
    from launcher.logs.grammar import Clock

_READ: Final = 16 << 10  # bytes at either end
_OF_RANKS: Final = frozenset((Source.STDOUT, Source.PLOG, Source.FRAMEWORK))
_FORWARDS_ONLY: Final = ".gz"  # to see its end, all of it would have to be unpacked


def extents(files: Iterable[LogFile], clock: Clock | None = None) -> Mapping[str, Extent]:
    """The extents of ranks' logs by name; logs that have no stamps, or cannot be read, are left out."""
    from launcher.logs.grammar import Clock

    found = {}
    for file in files:
        if file.source in _OF_RANKS and file.path.suffix != _FORWARDS_ONLY:
            with suppress(OSError):
                if extent := _extent(file, clock or Clock()):
                    found[file.name] = extent
    return found


def _extent(file: LogFile, clock: Clock) -> Extent | None:
    from launcher.logs.packed import open_log

    with open_log(file.path) as log:
        head = log.read(_READ)
        size = log.seek(0, 2)
        log.seek(max(size - _READ, 0))
        tail = log.read(_READ)
    begun = _stamped(head.splitlines(), clock)
    ended = _stamped(reversed(tail.splitlines()), clock)
    return Extent(begun, ended) if begun is not None and ended is not None else None


def _stamped(lines: Iterable[bytes], clock: Clock) -> float | None:
    from launcher.logs.grammar import stamp_of

    return next((stamp for line in lines if (stamp := stamp_of(line, clock)) is not None), None)
