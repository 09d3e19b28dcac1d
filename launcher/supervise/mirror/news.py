"""What growing files hold beyond what somebody has of them: read on the host that has them, written on the other."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from launcher.logs.follow import Watch
from launcher.logs.gaps import read_stored


class Want(NamedTuple):
    """A file, and how many of its bytes are had already."""

    path: str
    offset: int


class Piece(NamedTuple):
    """What a file holds from `offset` on, or the beginning of that, when it had `size` bytes.

    The offset is beyond the one that was wanted where the file has a gap, and so has the copy then.
    A size below the offset says that the file has been cut short; no data, that it cannot be read.
    """

    path: str
    offset: int
    data: bytes
    size: int


def read_news(wants: Sequence[Want], budget: int, patience: float = 0.0) -> list[Piece]:
    """What there is of these files beyond their offsets: at most `budget` bytes, in fair shares.

    Waits up to `patience` seconds for the first of it. Files without news are left out, and so are those that do not
    exist.
    """
    pieces = _read(wants, budget)
    if pieces or patience <= 0:
        return pieces
    deadline = time.monotonic() + patience
    watch = Watch()
    try:
        for want in wants:
            watch.add(Path(want.path))
        while not (pieces := _read(wants, budget)) and (left := deadline - time.monotonic()) > 0:
            watch.wait(left)
    finally:
        watch.close()
    return pieces


def write_piece(piece: Piece) -> None:
    """Put a piece of a file where it belongs in the copy (mode 0600), making its folder. Raises OSError.

    The same piece may be written twice: what is there already is the same.
    """
    try:
        descriptor = _open(piece.path)
    except FileNotFoundError:
        Path(piece.path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = _open(piece.path)
    try:
        written = 0
        while written < len(piece.data):
            written += os.pwrite(descriptor, piece.data[written:], piece.offset + written)
    finally:
        os.close(descriptor)


def size_of(path: str) -> int | None:
    """Bytes in a file; None when there is none."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - half the cost of Path.stat, for each of many logs
    except OSError:
        return None


def fair_shares(wanted: Sequence[int], budget: int) -> list[int]:
    """How much of what each wants it gets: nobody gets less than an equal part unless it wants less."""
    shares = [0] * len(wanted)
    smallest_first = sorted(range(len(wanted)), key=wanted.__getitem__)
    for turn, index in enumerate(smallest_first):
        shares[index] = min(wanted[index], budget // (len(wanted) - turn))
        budget -= shares[index]
    return shares


def _read(wants: Sequence[Want], budget: int) -> list[Piece]:
    changed = [(want, size) for want in wants if (size := size_of(want.path)) not in (None, want.offset)]
    shares = fair_shares([max(size - want.offset, 0) for want, size in changed], budget)
    return [_piece(want, share, size) for (want, size), share in zip(changed, shares, strict=True)]


def _piece(want: Want, count: int, size: int) -> Piece:
    begin, data = _bytes_of(want, count)
    return Piece(want.path, begin, data, max(size, begin + len(data)) if data else size)


def _bytes_of(want: Want, count: int) -> tuple[int, bytes]:
    """Where what a file has beyond an offset begins, and those bytes."""
    if not count:
        return want.offset, b""
    try:
        descriptor = os.open(want.path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return want.offset, b""
    try:
        return read_stored(descriptor, count, want.offset)
    except OSError:
        return want.offset, b""
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
