"""Logs as they lie on disk: plain, with a gap where a flood was cut, cut by a transfer, or compressed."""

from __future__ import annotations

import gzip
import io
import os
import re
from pathlib import Path

from launcher.logs.cutting import SUFFIX as CUT
from launcher.logs.gaps import GapReader, has_gap

COMPRESSED = ".zst"
"""What the name of a log ends with besides once it is compressed."""

ARCHIVE = re.compile(r"(.+?)(?:\.(?:tar|tgz|tbz2?|txz|tzst|zip)|\.tar\.(?:gz|bz2|xz|zst))", re.IGNORECASE)
"""The name of an archive, in which other files are; its first group is what it is called without its ending."""

_BUFFER = 1 << 20


def existing(path: Path) -> Path | None:
    """Where the log of this name lies: there, or compressed beside it; None when it is nowhere."""
    if path.exists():
        return path
    compressed = path.with_name(path.name + COMPRESSED)
    return compressed if compressed.exists() else None


def at_hand(path: Path) -> Path:
    """The name of that form of an output which has most of it here: what was fetched of it, cut, or else its own."""
    cut = path.with_name(path.name + CUT)
    return path if existing(cut) is None else cut


def text_size(path: Path) -> int | None:
    """Bytes of text of a log of this name, compressed or not; None when it is nowhere or cannot be read."""
    try:
        with open_log(path) as log:
            return log.seek(0, os.SEEK_END)
    except OSError:
        return None


def open_log(path: Path) -> io.BufferedReader:
    """A log to read, whatever form it lies in; one that was compressed meanwhile is found under its new name.

    Offsets are those of the text. What is compressed with frames (launcher/logs/frames.py) or plain may be read from
    anywhere at once; of other archives what lies before is unpacked too, and going back begins anew. In a file with a
    gap reading goes on behind it: `tell` says where one is. Raises OSError, also for an archive that is damaged; of a
    zstd that was cut off there is what came before.
    """
    try:
        return _open(path)
    except FileNotFoundError:
        compressed = path.with_name(path.name + COMPRESSED)
        if compressed == path or not compressed.exists():
            raise
        return _open(compressed)


def _open(path: Path) -> io.BufferedReader:
    if path.suffix == COMPRESSED:
        from launcher.logs.frames import reader  # zstandard takes its time

        return io.BufferedReader(reader(path), _BUFFER)
    if path.suffix == ".gz":
        from launcher.logs.forwards import ForwardReader

        return io.BufferedReader(ForwardReader(lambda: gzip.open(path, "rb")), _BUFFER)
    file = path.open("rb")
    if not has_gap(os.fstat(file.fileno())):
        return file
    with file:
        return GapReader(os.dup(file.fileno()))
