"""How long to wait before trying again."""

from __future__ import annotations

import random
from collections.abc import Iterator

_FIRST, _LONGEST = 1.0, 15.0  # seconds


def delays() -> Iterator[float]:
    """Seconds to wait before each try: twice as long every time, up to a limit, and never the same on two hosts."""
    delay = _FIRST
    while True:
        yield delay * random.uniform(0.5, 1.0)  # noqa: S311 - nobody must be unable to guess it
        delay = min(_LONGEST, 2 * delay)
