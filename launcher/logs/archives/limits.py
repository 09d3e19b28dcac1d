"""How much may come out of an archive."""

from __future__ import annotations

from typing import NamedTuple

from launcher.errors import UsageError

_UNSUSPECTED = 4 << 30  # bytes that may come out of ever so little: a flood of one line compresses that well


class Limits(NamedTuple):
    """Bytes and number of all files together, and how many times its own size an archive may unpack to.

    The last counts for what is beyond 4 GiB. No archive of logs is known that comes near any of them.
    """

    size: int = 64 << 30
    files: int = 200_000
    ratio: int = 250


class Room:
    """What is left of the limits for an archive, and for those within it."""

    def __init__(self, limits: Limits, free: int) -> None:
        self._limits = limits
        self._size = min(limits.size, free)
        self._is_disk = free < limits.size
        self._files = limits.files

    @property
    def files(self) -> int:
        """How many files and other entries there is room for."""
        return self._files

    def take_file(self, archive: str) -> None:
        """Make room for one file, or another entry. Raises UsageError."""
        self._files -= 1
        if self._files < 0:
            raise too_much(archive, f"it has more than {self._limits.files:,} entries")

    def take(self, archive: str, size: int, out: int, consumed: int) -> None:
        """Make room for so many bytes, of an archive of which `out` bytes come from `consumed`. Raises UsageError."""
        self._size -= size
        if self._size < 0 and self._is_disk:
            raise UsageError(
                "it does not fit onto the disk when it is unpacked",
                where=archive,
                remedy="set TMPDIR to a folder with more room, or unpack what matters and name the folder",
            )
        if self._size < 0:
            raise too_much(archive, f"it unpacks to more than {self._limits.size / (1 << 30):,.3g} GiB")
        if out > _UNSUSPECTED and out > self._limits.ratio * consumed:
            raise too_much(archive, f"it unpacks to more than {self._limits.ratio} times its size")


def too_much(archive: str, what: str) -> UsageError:
    """The error of an archive that is not what it seems."""
    return UsageError(
        what,
        where=archive,
        expected="an archive of logs",
        remedy="if you trust it, unpack it yourself and name the folder",
    )
