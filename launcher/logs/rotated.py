"""Keeps what CANN writes of a rank within a limit: of its rotated files the oldest go.

CANN begins another file when one is full, and every process has files of its own (facts/logs.md, section 1). A file
that goes is cut down to a line that says so, which works while somebody reads it, and keeps its place among the others.
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from launcher.logs.cutting import Gap, note
from launcher.logs.error_places import error_places
from launcher.logs.gaps import stored_bytes

_NAME: Final = re.compile(r"(?P<log>(?:plog|device)-\d{1,10})_(?P<begun>\d{1,20})\.log")
_SMALL: Final = 1 << 13  # bytes of a file that is not worth it: those that were cut down are
_SCAN_SECONDS: Final = 60.0  # in which errors are looked for


class Rotated(NamedTuple):
    """One file of a log; `begun` orders the files of one process, of which `log` is the same."""

    path: Path
    log: str
    begun: int
    stored: int


def trim_folder(folder: Path, most: int) -> int:
    """Free the oldest of CANN's files below a folder in which more than `most` bytes are stored; how many were freed.

    What cannot be read or written is passed over.
    """
    files, stored = _below(folder)
    deadline = time.monotonic() + _SCAN_SECONDS
    chosen = superfluous(files, stored - most, lambda file: _has_errors(file.path, deadline))
    return sum(_cut_down(file.path) for file in chosen)


def superfluous(
    files: Sequence[Rotated], excess: int, has_errors: Callable[[Rotated], bool | None]
) -> Iterator[Rotated]:
    """The files to do without so that so many bytes less are stored, as far as possible.

    First go those without errors, the oldest first, then those with errors, the latest first; the newest file of a log,
    which is written to, stays, and so does the first one with errors. `has_errors` says None when there is no time left
    to look: files of which that is not known stay, and so do those with errors, unless nothing else could go.
    """
    by_log: defaultdict[str, list[Rotated]] = defaultdict(list)
    for file in files:
        by_log[file.log].append(file)
    newest = {max(its, key=lambda file: file.begun) for its in by_log.values()}
    telling: list[Rotated] = []
    has_begun = False
    for file in sorted(files, key=lambda file: file.begun):
        if excess <= 0:
            return
        if file in newest or file.stored <= _SMALL:
            continue
        tells = has_errors(file)
        if tells is None and has_begun:
            return
        if tells is None:
            break
        if tells:
            telling.append(file)
            continue
        has_begun = True
        excess -= file.stored
        yield file
    first = {file.log: file for file in reversed(telling)}
    for file in reversed(telling):
        if excess <= 0:
            return
        if first[file.log] is not file:
            excess -= file.stored
            yield file


def _below(folder: Path) -> tuple[list[Rotated], int]:
    """The rotated files below a folder, and the bytes that all files there take."""
    files: list[Rotated] = []
    total = 0
    for inner, _, names in os.walk(folder):
        for name in names:
            path = Path(inner, name)
            try:
                status = path.lstat()
            except OSError:
                continue  # CANN has just removed it
            total += stored_bytes(status)
            if stat.S_ISREG(status.st_mode) and (match := _NAME.fullmatch(name)) is not None:
                files.append(Rotated(path, f"{inner}/{match['log']}", int(match["begun"]), stored_bytes(status)))
    return files, total


def _has_errors(path: Path, deadline: float) -> bool | None:
    """Whether a file tells of errors; None when that is not known in time. One that cannot be read may do so."""
    try:
        with path.open("rb") as file:
            if any(error_places(file, os.fstat(file.fileno()).st_size, 1, deadline)):
                return True
    except OSError:
        return True
    return None if time.monotonic() >= deadline else False


def _cut_down(path: Path) -> int:
    """Put a line in the place of all that is in a file; how many bytes that frees."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        before = os.fstat(descriptor)
        said = note(Gap(0, before.st_size), None).lstrip(b"\n")
        os.pwrite(descriptor, said, 0)
        os.ftruncate(descriptor, len(said))
        os.utime(descriptor, ns=(before.st_atime_ns, before.st_mtime_ns))
        return stored_bytes(before) - stored_bytes(os.fstat(descriptor))
    except OSError:
        return 0
    finally:
        os.close(descriptor)
