"""The names of rotated logs: which of them are parts of one log, and how these follow each other."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from launcher.logs.cutting import SUFFIX as CUT
from launcher.logs.packed import COMPRESSED
from launcher.logs.record import LogFile

PACKED = (COMPRESSED, ".gz")
"""What `open_log` unpacks while it reads."""

_DATED, _NUMBERED, _CURRENT = range(3)
_ROTATED = re.compile(
    r"(?P<log>.*?\.(?:log|txt|out|err)|messages|syslog|kern\.log|dmesg)"
    r"(?:[.-](?P<date>\d{8}(?:[-_T]?\d{2,6})?)|\.(?P<number>\d{1,3}))"
)


class Part(NamedTuple):
    """A log's name without what its rotation has added, and a place among its parts, the oldest first."""

    log: str
    order: tuple[int, int]


def part_of(name: str) -> Part:
    """The log that a file's name tells of: `messages-20240101` and `messages` are parts of one, as in logrotate(8).

    Of numbered parts the highest is the oldest; the file without date and number is the newest.
    """
    name = plain(name)
    if (match := _ROTATED.fullmatch(name)) is None:
        return Part(name, (_CURRENT, 0))
    if match["date"]:
        return Part(match["log"], (_DATED, int(re.sub(r"\D", "", match["date"]).ljust(14, "0"))))
    return Part(match["log"], (_NUMBERED, -int(match["number"])))


def begun_at(log: str, stamp: str) -> Part:
    """The part of a log that a program began anew at this time, digits of any unit: `plog-7_20240101120000000.log`."""
    return Part(log, (_DATED, int(re.sub(r"\D", "", stamp))))


def plain(name: str) -> str:
    """A file's name without what compressing or cutting it has added."""
    for ending in (*PACKED, CUT, *PACKED):
        name = name.removesuffix(ending)
    return name


def in_streams(files: Iterable[tuple[LogFile, Part]]) -> list[LogFile]:
    """The files with their streams and their places in these, sorted by stream and part.

    A log that lies there in several forms (whole, cut, compressed) counts once: a cut one before what was copied of it
    until then, the plain one before the compressed.
    """
    streams: defaultdict[str, dict[tuple[int, int], LogFile]] = defaultdict(dict)
    for file, part in files:
        folder, slash, _ = file.name.rpartition("/")
        parts = streams[folder + slash + part.log]
        other = parts.get(part.order)
        if other is None or _preference(file.name) < _preference(other.name):
            parts[part.order] = file
    return [
        file._replace(stream=stream, part=place)
        for stream, parts in sorted(streams.items())
        for place, file in enumerate(_sorted(parts))
    ]


def _sorted(parts: dict[tuple[int, int], LogFile]) -> Sequence[LogFile]:
    return [parts[order] for order in sorted(parts)]


def _preference(name: str) -> tuple[bool, int]:
    return not name.removesuffix(COMPRESSED).endswith(CUT), len(name)
