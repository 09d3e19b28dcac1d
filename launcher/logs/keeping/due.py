"""When what is kept of runs was last looked at."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from launcher.runs.home import home

_PERIOD = 3600.0  # seconds between sweeps that nobody asked for


def is_due(now: float) -> bool:
    """Whether the last sweep was long enough ago; in a home where there was none, that time begins now."""
    try:
        return now - _path().stat().st_mtime >= _PERIOD
    except OSError:
        with suppress(OSError):
            stamp(now)
        return False


def stamp(now: float) -> None:
    """Note that a sweep begins. Raises OSError."""
    _path().touch(mode=0o600)
    os.utime(_path(), (now, now))


def _path() -> Path:
    return home() / "swept"
