"""The files and folders below a folder, whatever somebody put there: no links are followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_MOST_FILES = 1_000_000
_MOST_DEPTH = 48


class Below(NamedTuple):
    """Files in the order of their paths; `unread` are folders that could not be looked into, with the reason."""

    files: tuple[Path, ...]
    unread: tuple[tuple[Path, str], ...]


def files_below(folder: Path) -> Below:
    """The regular files below a folder, all of them up to a bound; nothing where there is no folder."""
    files: list[Path] = []
    unread: list[tuple[Path, str]] = []
    waiting = [(folder, _MOST_DEPTH)] if folder.is_dir() else []
    while waiting:
        here, levels = waiting.pop()
        try:
            entries = sorted(_entries(here), key=lambda entry: entry.name)
        except OSError as error:
            unread.append((here, error.strerror or str(error)))
            continue
        if levels < 0 or len(files) > _MOST_FILES:
            why = (
                f"it is more than {_MOST_DEPTH} folders deep"
                if levels < 0
                else f"there are more than {_MOST_FILES} files"
            )
            unread.append((here, why))
            continue
        files += [Path(entry.path) for entry in entries if entry.is_file(follow_symlinks=False)]
        below = [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]
        waiting += [(path, levels - 1) for path in reversed(below)]
    return Below(tuple(sorted(files)), tuple(unread))


def files_in(folder: Path) -> list[Path]:
    """The regular files of a folder; nothing where there is none."""
    return [Path(entry.path) for entry in _sorted(folder) if entry.is_file(follow_symlinks=False)]


def folders_in(folder: Path) -> list[Path]:
    """The folders of a folder; nothing where there is none."""
    return [Path(entry.path) for entry in _sorted(folder) if entry.is_dir(follow_symlinks=False)]


def _sorted(folder: Path) -> list[os.DirEntry[str]]:
    try:
        return sorted(_entries(folder), key=lambda entry: entry.name)
    except OSError:
        return []


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        yield from entries
