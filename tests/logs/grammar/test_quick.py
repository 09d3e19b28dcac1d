"""The time and the level of a line are known without the rest of its record, and are those of its record."""

from datetime import datetime, timedelta, timezone

import pytest

from launcher.logs.grammar import Clock, Reader, level_of, stamp_of
from launcher.logs.record import Level
from tests.logs.grammar.test_captures import CAPTURES, CLOCK

LINES = sorted({line for log in CAPTURES.glob("*.log") for line in log.read_bytes().split(b"\n")})


def test_quick_answers_are_those_of_the_records() -> None:
    for line in LINES:
        reader = Reader(CLOCK)
        records = [*reader.feed(line), *reader.finish()]
        assert stamp_of(line, CLOCK) == next((record.time for record in records if record.time is not None), None), line
        levels = [record.level for record in records if record.level is not None]
        if not line.startswith(b"  File"):  # a record that begins with a frame is an error; the line does not say so
            assert level_of(line) == max(levels, default=None), line


def test_a_stamp_without_a_zone_is_in_that_of_the_clock() -> None:
    line = b"2025-09-16 12:00:00,500 - INFO - text"
    expected = datetime(2025, 9, 16, 4, 0, 0, 500_000, tzinfo=timezone.utc).timestamp()
    assert stamp_of(line, Clock(timezone(timedelta(hours=8)))) == expected


@pytest.mark.parametrize(
    ("zone", "hours"), [(b"Z", 0), (b"+00:00", 0), (b"+08:00", 8), (b"-0330", -3.5), (b" +0100", 1)]
)
def test_a_zone_that_is_said_counts(zone: bytes, hours: float) -> None:
    expected = datetime(2025, 9, 16, 12, 0, 0, 500_000, tzinfo=timezone.utc) - timedelta(hours=hours)
    assert stamp_of(b"2025-09-16T12:00:00.500" + zone + b" INFO text", CLOCK) == expected.timestamp()


def test_a_stamp_without_a_year_is_of_the_last_such_date() -> None:
    now = datetime.now(timezone.utc)
    for days in (0, 1, 40, 300):
        day = (now - timedelta(days=days)).replace(microsecond=0)
        assert (
            stamp_of(day.strftime("INFO %m-%d %H:%M:%S [a.py:1] text").encode(), Clock(timezone.utc)) == day.timestamp()
        )


def test_the_gravest_of_glued_messages_counts() -> None:
    line = b"[%s] GE(1,a):2025-10-28-17:45:13.000.001 [a.cc:1]1 F:text"
    assert level_of(line % b"INFO" + line % b"ERROR") is Level.ERROR
    assert level_of(line % b"ERROR" + line % b"INFO") is Level.ERROR


@pytest.mark.parametrize("line", [b"", b"\xff\xfe", b"step 3", b"2025-99-99 12:00:00 text", b"at 2025-01-01 12:00:00"])
def test_a_line_without_a_stamp_has_none(line: bytes) -> None:
    assert stamp_of(line) is None
