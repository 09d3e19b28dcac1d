"""What tools print, without what terminals and other systems add to it."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x00-\x08\x0e-\x1f\x7f\ufeff]"
)
_NOTHING: Final = frozenset({"", "-", "--", "na", "n/a", "none", "null"})

SHOWN: Final = 2000  # characters of a text that was not understood


def plain_lines(text: str) -> list[str]:
    """The lines without colour, control characters and line ends of any kind; tabs are blanks."""
    return [line.replace("\t", " ").rstrip() for line in _ESCAPES.sub("", text).replace("\r", "\n").split("\n")]


def is_nothing(value: str) -> bool:
    """Whether a value says that there is none: `-`, `NA`, nothing at all."""
    return value.strip().casefold() in _NOTHING


def whole(value: str) -> int | None:
    """The number that a value is, in ASCII digits; None when it is anything else."""
    value = value.strip()
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 18 else None


def decimal(value: str) -> float | None:
    """The number that a value is, with or without a fraction; None when it is anything else."""
    return float(value) if re.fullmatch(r"-?[0-9]{1,12}(\.[0-9]{1,6})?", value.strip()) else None


def is_address(value: str) -> bool:
    """Whether a value is an IP address, IPv4 or IPv6."""
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def excerpt(text: str) -> str:
    """The beginning of a text, to be shown to a person."""
    return text.strip()[:SHOWN]
