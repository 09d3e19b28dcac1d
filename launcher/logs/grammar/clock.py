"""Stamps of all kinds, as seconds since the epoch."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import NamedTuple

# A program writes many lines in a second: the second is computed once.
SECONDS_KEPT = 4096

# A stamp without a year is of the last such date that is over, or of one so little ahead that clocks may differ by it.
_AHEAD = timedelta(days=1)

# A clock that was never set begins with the epoch; what lies beyond is no stamp.
_YEARS = range(1970, 2500)

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), start=1
    )
}


class Clock(NamedTuple):
    """What a stamp leaves unsaid: the time zone (None: this machine's) and the year (None: the last that fits)."""

    zone: tzinfo | None = None
    year: int | None = None


THIS_MACHINE = Clock()


def iso_time(stamp: str, clock: Clock, fraction: str = "", zone: str = "") -> float | None:
    """The time of `YYYY?MM?DD?HH:MM:SS`, whatever separates the parts of its date; None when there is no such date.

    `fraction` are the digits after the second, in groups or not (".679.684"); `zone` is "Z", "+08:00", "+0800" or "".
    """
    second = _iso_second(stamp, clock if not zone else Clock(_offset(zone)))
    return second if second is None or not fraction else second + _share(fraction)


def dated_time(month: str, day: str, clock_time: str, clock: Clock, fraction: str = "", year: str = "") -> float | None:
    """The time of a month (number or English name) and a day, in a year or in the one that `clock` says or implies."""
    second = _dated_second(month, day, clock_time, year, clock)
    return second if second is None or not fraction else second + _share(fraction)


def _share(fraction: str) -> float:
    """What of a second its digits are, whatever stands before and between them (".679.684", ",441")."""
    digits = fraction[1:].replace(".", "")
    return int(digits) / 10 ** len(digits) if digits.isdecimal() else 0.0


@lru_cache(maxsize=SECONDS_KEPT)
def _iso_second(stamp: str, clock: Clock) -> float | None:
    try:
        year, month, day = int(stamp[:4]), int(stamp[5:7]), int(stamp[8:10])
        return _seconds(datetime(year, month, day, *_clock_time(stamp[11:19]), tzinfo=clock.zone))
    except ValueError:
        return None


@lru_cache(maxsize=SECONDS_KEPT)
def _dated_second(month: str, day: str, clock_time: str, year: str, clock: Clock) -> float | None:
    now = datetime.fromtimestamp(time.time(), clock.zone)
    try:
        number = _MONTHS.get(month) or int(month)
        hour, minute, second = _clock_time(clock_time)
        when = datetime(int(year or clock.year or now.year), number, int(day), hour, minute, second, tzinfo=clock.zone)
        if not year and clock.year is None and when.replace(tzinfo=None) > now.replace(tzinfo=None) + _AHEAD:
            when = when.replace(year=when.year - 1)
        return _seconds(when)
    except ValueError:
        return None


def _clock_time(text: str) -> tuple[int, int, int]:
    hour, minute, second = text.split(":")
    return int(hour), int(minute), min(int(second), 59)  # a leap second is the end of the second before it


def _seconds(when: datetime) -> float | None:
    return when.timestamp() if _YEARS.start <= when.year < _YEARS.stop else None


@lru_cache(maxsize=64)
def _offset(zone: str) -> tzinfo:
    if zone in ("Z", "z"):
        return timezone.utc
    digits = zone[1:].replace(":", "").ljust(4, "0")
    away = timedelta(hours=min(int(digits[:2]), 23), minutes=min(int(digits[2:4]), 59))
    return timezone(-away if zone[0] == "-" else away)
