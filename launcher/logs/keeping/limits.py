"""How much is kept of a user's runs, and for how long: NPU_LAUNCH_KEEP."""

from __future__ import annotations

import os
import re
from typing import Final, NamedTuple

from pydantic import TypeAdapter, ValidationError

from launcher.errors import UsageError
from launcher.specs.fields import Size

VARIABLE: Final = "NPU_LAUNCH_KEEP"
_EVERYTHING: Final = "all"
_SECONDS: Final = {"h": 3600.0, "d": 86400.0, "w": 7 * 86400.0}
_AGE = re.compile(r"([0-9]{1,6})([hdw])", re.ASCII)


class Keep(NamedTuple):
    """At most so many bytes of all runs together, each for at most so many seconds after its end; None: no limit."""

    size: int | None = 50 << 30
    seconds: float | None = 90 * 86400.0


def kept() -> Keep:
    """What NPU_LAUNCH_KEEP says, or the default. Raises UsageError."""
    return parse_keep(os.environ.get(VARIABLE, ""))


def parse_keep(text: str) -> Keep:
    """`50GB,90d`: a size, an age in hours, days or weeks, or both; what is not named has no limit. `all`: no limits.

    1 GB is 1024 MB. Raises UsageError.
    """
    if not text.strip():
        return Keep()
    if text.strip() == _EVERYTHING:
        return Keep(None, None)
    size, seconds = None, None
    for word in (word.strip() for word in text.split(",")):
        age = _AGE.fullmatch(word)
        if age is not None and seconds is None:
            seconds = int(age[1]) * _SECONDS[age[2]]
        elif age is None and size is None:
            size = _size(word, text)
        else:
            raise _wrong(text)
    return Keep(size, seconds)


def _size(word: str, text: str) -> int:
    try:
        size: int = TypeAdapter(Size).validate_python(word)
    except ValidationError:
        raise _wrong(text) from None
    return size


def _wrong(text: str) -> UsageError:
    return UsageError(
        f"{VARIABLE} is '{text}'",
        expected="a size, an age or both, such as 50GB,90d; units are MB, GB, TB and h, d, w; `all` keeps everything",
    )
