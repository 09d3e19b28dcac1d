"""Keys of what CANN writes, which most lines of the largest logs are: quicker than by a search for each.

`[INFO] HCCL(4711,python3):2025-10-28-17:45:13.679.684 [...` (facts/logs.md, section 2): what stands before the stamp is
looked at once for all lines that begin alike, and the stamps of a block are checked as a table, column by column.
Measured on one core, on plog of 150 bytes a line: 0.25 us a line, where a regular expression takes 0.43 and numpy 0.3.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

LEVEL: Final = rb"\[[A-Z]+\] ?"
WRITER: Final = rb"\w+\(-?\d+,[^)\n]*"  # HCCL(4711,python3
BEFORE_YEAR: Final = b"):20"  # ends what stands before a stamp, and begins the stamp

_BEFORE: Final = re.compile(LEVEL + WRITER)
_DIGITS: Final = b"0123456789"
_NO_ZONE: Final = bytes(set(range(256)).difference(b"+-\n", _DIGITS))
# What may stand in each column: M, D, H begin a month, a day, an hour; d is a digit, z what is no zone.
_SIGNS: Final = {"M": b"01", "D": b"0123", "H": b"012", "d": _DIGITS, "z": _NO_ZONE}
_COLUMNS: Final = [_SIGNS.get(sign, sign.encode()) for sign in "20dd-Md-Dd-Hd:dd:dd.ddd.ddd z\n"]
_REST: Final = len(b"25-10-28-17:45:13.679.684 [")
_NO_STAMP: Final = b"00-00-00-00:00:00.000.000 ["  # in the place of one, and ...
_NO_KEY: Final = "20000000000000000000"  # ... its key
_BUT_DIGITS: Final = bytes(set(range(256)).difference(b"\n", _DIGITS))


def keys_of_cann(lines: Sequence[bytes]) -> list[str] | None:
    """The keys (launcher/logs/stamps.py) of CANN's lines; "" where a look at the line itself has to tell.

    None where that is so of all lines, because the stamp of one has another form.
    """
    befores: list[bytes] = []
    rows: list[bytes] = []
    for line in lines:
        before, found, rest = line.partition(BEFORE_YEAR)
        befores.append(before if found else b"")
        rows.append(rest[:_REST])
    strange = {before for before in set(befores) if _BEFORE.fullmatch(before) is None}
    if strange:
        rows = [_NO_STAMP if before in strange else row for before, row in zip(befores, rows, strict=True)]
    table = b"20%b\n" % b"\n20".join(rows)
    if any(table[column :: len(_COLUMNS)].translate(None, allowed) for column, allowed in enumerate(_COLUMNS)):
        return None
    keys = table.translate(None, _BUT_DIGITS).decode("ascii").split("\n")
    keys.pop()  # nothing, at the very end
    return ["" if key == _NO_KEY else key for key in keys] if strange else keys
