"""Times as people type them."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta

from launcher.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_AGO = re.compile(r"(?:\d+(?:\.\d+)?[smhd])+")
_CLOCK = re.compile(r"\d\d?:\d\d(?::\d\d(?:\.\d+)?)?")


def parse_moment(text: str, option: str, now: float | None = None) -> float:
    """Seconds since the epoch for `10m` or `1h30m` ago, `17:45` (the last time it was), or `2025-10-28 17:45:13`.

    Times are those of this machine's zone unless they name another, as `...T17:45:13+08:00` does. Raises UsageError.
    """
    now = time.time() if now is None else now
    text = text.strip()
    if _AGO.fullmatch(text):
        return now - sum(float(part[:-1]) * _UNITS[part[-1]] for part in re.findall(r"[\d.]+[smhd]", text))
    try:
        if _CLOCK.fullmatch(text):
            today = datetime.fromtimestamp(now).astimezone()
            hour, minute, *second = text.split(":")
            seconds = float(second[0]) if second else 0.0
            moment = today.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
            moment += timedelta(seconds=seconds)
            return moment.timestamp() if moment.timestamp() <= now else (moment - timedelta(days=1)).timestamp()
        return datetime.fromisoformat(re.sub(r"^(\d{4}-\d\d-\d\d)-", r"\1T", text).replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{option} is '{text}'", expected="how long ago (10m, 1h30m), a time (17:45), or a date and a time"
        ) from None
