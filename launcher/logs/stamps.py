"""When lines were written, as texts that sort as times do: what merging compares.

A key is the time by this machine's clock and zone in digits, `20251028174513679684`, with as many as the line had; ""
stands for a line that carries no time. Such texts are sorted as quickly as numbers, and making them costs no
arithmetic: for lines whose stamp stands where most programs put it, all keys of a block come from one search. What that
search does not know is left to `stamp_of`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from io import BytesIO
from typing import Final

from launcher.logs.cann_keys import BEFORE_YEAR, LEVEL, WRITER, keys_of_cann
from launcher.logs.grammar import stamp_of

Correction = Callable[[float], float]
"""A time by our clock, from one by the clock of the host that wrote it."""

# `[LEVEL] MODULE(pid,process):stamp`, `[LEVEL] stamp`, `[stamp` and a line that begins with it; one with a zone behind
# it is left to `stamp_of`.
_HEADED: Final = re.compile(
    rb"(?:(?:" + LEVEL + rb"(?:" + WRITER + rb"\): ?)?|\[)?"
    rb"(20\d\d-[01]\d-[0-3]\d[-T ][0-2]\d:\d\d:\d\d(?:[.,]\d{3}(?:\.?\d{3})?)?)"
    rb"(?=[\] :\t\n]|$)(?! ?[+-]\d))?.*\n?"
)
_AS_ZEROS: Final = bytes.maketrans(b"123456789", b"0" * 9)
_LARGE: Final = 1 << 13  # bytes of a block that is worth being looked at as one
_PEEKED: Final = 1 << 11  # bytes of it that tell whether CANN wrote it
_CLOCK: Final = re.compile(rb'\d:\d\d|"time":')  # what every other stamp holds; the latter stands in our own events
_HEAD: Final = 256  # bytes of a line in which a stamp may stand
_NO_DIGITS: Final = b"-:.,T "


def keys_of(block: bytes, correction: Correction | None = None, lines: Sequence[bytes] | None = None) -> list[str]:
    """The keys of a block's lines; `lines` are these, where somebody has taken it apart already."""
    lines = lines or BytesIO(block).readlines()
    is_of_cann = len(block) >= _LARGE and block.find(BEFORE_YEAR, 0, _PEEKED) >= 0
    of_cann = keys_of_cann(lines) if is_of_cann else None
    if of_cann is None and not _has_clock(block):
        return [""] * len(lines)
    keys = _keys_of_headed(block) if of_cann is None else of_cann
    if "" not in keys:
        return _corrected(keys, correction)
    without = [index for index, key in enumerate(keys) if not key]
    rest = b"".join([lines[index] for index in without])
    if not _has_clock(rest):
        return _corrected(keys, correction)
    if of_cann is not None:
        for index, key in zip(without, _keys_of_headed(rest), strict=True):
            keys[index] = key
    keys = _corrected(keys, correction)
    for index in without:
        if not keys[index]:
            keys[index] = _slow_key(lines[index], correction)
    return keys


def key_of_line(line: bytes, correction: Correction | None = None) -> str:
    """The key of one line."""
    found = _HEADED.match(line)
    if found is None or found[1] is None:
        return _slow_key(line, correction)
    return _corrected([found[1].translate(None, _NO_DIGITS).decode("ascii")], correction)[0]


def key_of(when: float) -> str:
    """The key of a time, in seconds since the epoch."""
    microseconds = round(when * 1e6)
    return f"{_minute_key(microseconds // 60_000_000)}{microseconds % 60_000_000:08d}"


def time_of(key: str) -> float:
    """The time that a key stands for, to the digits that it has."""
    seconds = _second_of(key[:14])
    return seconds + int(key[14:]) / 10 ** (len(key) - 14) if len(key) > 14 else seconds


def _keys_of_headed(block: bytes) -> list[str]:
    """The keys of lines whose stamps stand where most programs put them, "" for others."""
    found = _HEADED.findall(block)
    found.pop()  # nothing, at the very end
    return b"\n".join(found).translate(None, _NO_DIGITS).decode("ascii").split("\n") if found else []


def _has_clock(block: bytes) -> bool:
    """Whether there is anything in it that _CLOCK looks for."""
    if _CLOCK.search(block, 0, _PEEKED):
        return True
    return b"0:00" in block.translate(_AS_ZEROS) or b'"time":' in block


def _corrected(keys: list[str], correction: Correction | None) -> list[str]:
    return keys if correction is None else [key and key_of(correction(time_of(key))) for key in keys]


def _slow_key(line: bytes, correction: Correction | None) -> str:
    """The key of a line whose stamp stands anywhere else, if it has one."""
    stamp = stamp_of(line) if _CLOCK.search(line, 0, _HEAD) else None
    if stamp is None:
        return ""
    return key_of(stamp if correction is None else correction(stamp))


@lru_cache(maxsize=4096)
def _minute_key(minutes: int) -> str:
    return time.strftime("%Y%m%d%H%M", time.localtime(minutes * 60))


@lru_cache(maxsize=4096)
def _second_of(digits: str) -> float:
    """The time of `YYYYmmddHHMMSS`; a day that no month has counts on into the next."""
    month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(4, 14, 2))
    return time.mktime((int(digits[:4]), month, day, hour, minute, second, 0, 0, -1))
