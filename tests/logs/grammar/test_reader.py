"""Lines become records, one after the other, in bounded memory."""

import tracemalloc
from datetime import datetime, timezone
from pathlib import Path

import pytest

from launcher.logs.grammar import Clock, Reader, read_records
from launcher.logs.grammar.reader import MOST_CHARACTERS, MOST_LINES
from launcher.logs.record import Level, Record

CLOCK = Clock(timezone.utc)
CANN = b"[ERROR] HCCL(7,python):2025-10-28-17:45:13.679.684 [a.cc:1] [7]text"


def records_of(*lines: bytes, clock: Clock = CLOCK, headed: bool = False) -> list[Record]:
    reader = Reader(clock, headed=headed)
    return [record for line in lines for record in reader.feed(line)] + list(reader.finish())


def test_a_record_comes_when_the_next_message_begins_and_not_before() -> None:
    reader = Reader(CLOCK)
    assert list(reader.feed(CANN)) == []
    assert [record.text for record in reader.feed(CANN)] == ["text"]
    assert [record.text for record in reader.finish()] == ["text"]
    assert list(reader.finish()) == []


def test_lines_are_taken_even_if_nobody_looks_at_the_records() -> None:
    reader = Reader(CLOCK)
    reader.feed(b"one")
    assert [record.line for record in reader.finish()] == [1]


def test_offsets_and_line_numbers_go_on_from_where_the_reader_was_told_to_begin() -> None:
    reader = Reader(CLOCK, offset=1000, line=50)
    found = [*reader.feed(b"one"), *reader.feed(b""), *reader.feed(b"three\r"), *reader.finish()]
    assert [(record.offset, record.line, record.text) for record in found] == [(1000, 50, "one"), (1005, 52, "three")]


def test_a_line_without_a_header_goes_on_with_the_message_above_where_all_messages_have_one() -> None:
    lines = (CANN, b"wrapped", b"[not] a header")
    assert len(records_of(*lines)) == 3
    assert [record.text for record in records_of(*lines, headed=True)] == ["text\nwrapped\n[not] a header"]


@pytest.mark.parametrize(
    "name",
    ["plog-7_20250519155907739.log", "device-7_20250519155907739.log", "mindspore.log.7", "mindspore.a.b.log.INFO.1.2"],
)
def test_the_name_of_a_file_says_that_all_its_messages_have_headers(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(CANN + b"\nwrapped\n")
    assert [record.text for record in read_records(tmp_path / name, CLOCK)] == ["text\nwrapped"]


def test_a_message_without_end_becomes_records_of_a_bounded_size() -> None:
    reader = Reader(CLOCK)
    tracemalloc.start()
    line = b"    " + b"x" * 996
    found = lines = longest = 0
    for record in reader.feed(b"Traceback (most recent call last):"):
        raise AssertionError(record)
    for _ in range(6_000):
        for record in reader.feed(line):
            found += 1
            lines += record.lines
            longest = max(longest, len(record.text))
            assert record.level is Level.ERROR
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found >= 6_000_000 // MOST_CHARACTERS
    assert longest <= MOST_CHARACTERS + MOST_LINES
    assert peak < 16 << 20
    assert lines + sum(record.lines for record in reader.finish()) == 6_001


def test_a_process_that_falls_silent_holds_up_no_others_records() -> None:
    reader = Reader(CLOCK)
    assert list(reader.feed(b"[rank0]: Traceback (most recent call last):")) == []
    seen = [record for number in range(2000) for record in reader.feed(b"[rank1]: step %d" % number)]
    assert seen[0].text.startswith("Traceback")
    assert len(seen) > 1400


def test_one_plain_line_holds_up_no_others_records() -> None:
    reader = Reader(CLOCK)
    assert list(reader.feed(b"starting")) == []
    seen = [record for number in range(1000) for record in reader.feed(b"[rank1]: step %d" % number)]
    assert seen[0].text == "starting"
    assert len(seen) > 400


def test_the_messages_of_many_processes_are_held_in_little_memory() -> None:
    reader = Reader(CLOCK)
    tracemalloc.start()
    count = 0
    for number in range(400):
        line = b"(Worker pid=%d) Traceback (most recent call last): " % number + b"x" * 100_000
        count += len(list(reader.feed(line)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count + len(list(reader.finish())) == 400
    assert peak < 16 << 20


def test_a_line_of_ten_megabytes_is_shortened_in_the_middle() -> None:
    (record,) = records_of(CANN + b"a" * 10_000_000 + b"the end")
    assert len(record.text) < MOST_CHARACTERS + 100
    assert record.text.startswith("text")
    assert record.text.endswith("the end")
    assert "bytes left out" in record.text


def test_the_offset_after_a_shortened_line_is_that_in_the_file(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    log.write_bytes(b"first\n" + b"a" * 3_000_000 + b"\nlast")
    assert [(record.offset, record.line) for record in read_records(log)] == [(0, 1), (6, 2), (3_000_007, 3)]


def test_offsets_behind_a_gap_are_those_of_the_file(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    with log.open("wb") as file:
        file.write(b"head\n" + b"x" * 8187)
        file.seek(1 << 20)
        file.write(b"tail\nend\n")
    begins = [(record.offset, record.text[:4]) for record in read_records(log)]
    assert begins == [(0, "head"), (5, "xxxx"), (1 << 20, "tail"), ((1 << 20) + 5, "end")]


def test_part_of_a_log_can_be_read(tmp_path: Path) -> None:
    log = tmp_path / "stdout.log"
    log.write_bytes(b"one\ntwo\nthree\nfour\n")
    parts = [list(read_records(log, begin=0, end=8)), list(read_records(log, begin=8, line=3))]
    assert parts[0] + parts[1] == list(read_records(log))
    assert [record.text for record in parts[1]] == ["three", "four"]


def test_a_year_that_one_line_names_is_that_of_lines_that_do_not() -> None:
    found = records_of(b"INFO 03-26 11:49:00 [a.py:1] before", CANN, b"INFO 10-28 17:45:14 [a.py:1] after")
    assert found[2].time == datetime(2025, 10, 28, 17, 45, 14, tzinfo=timezone.utc).timestamp()


def test_a_year_that_is_known_is_not_learned() -> None:
    found = records_of(CANN, b"INFO 10-28 17:45:14 [a.py:1] after", clock=Clock(timezone.utc, 2021))
    assert found[1].time == datetime(2021, 10, 28, 17, 45, 14, tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    "stamp", [b"2025-13-45-17:45:13.679.684", b"2025-10-28-27:45:13.679.684", b"9999-12-31-23:59:59.000.000"]
)
def test_a_date_that_does_not_exist_is_no_time(stamp: bytes) -> None:
    (record,) = records_of(CANN.replace(b"2025-10-28-17:45:13.679.684", stamp))
    assert (record.time, record.level, record.text) == (None, Level.ERROR, "text")
