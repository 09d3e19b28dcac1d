"""Captured logs of every grammar become the records written down beside them (tests/captures/logs/*.json)."""

import json
from datetime import timezone
from pathlib import Path

import pytest

from launcher.logs.grammar import Clock, read_records
from launcher.logs.record import Record

CAPTURES = Path(__file__).parents[2] / "captures" / "logs"
CLOCK = Clock(timezone.utc, 2026)


def as_written(record: Record) -> dict[str, object]:
    """A record without what it does not say; times in microseconds, which is what is printed at most of them."""
    values = record._asdict() | {
        "level": record.level.name if record.level else None,
        "time": None if record.time is None else round(record.time, 6),
    }
    empty = Record(-1, -1, "")._asdict() | {"text": None}
    return {name: value for name, value in values.items() if value != empty[name]}


@pytest.mark.parametrize("log", sorted(CAPTURES.rglob("*.log")), ids=lambda log: log.stem)
def test_a_captured_log_becomes_these_records(log: Path) -> None:
    expected = json.loads(log.with_suffix(".json").read_text())
    assert [as_written(record) for record in read_records(log, CLOCK)] == expected
