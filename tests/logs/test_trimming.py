"""A log that floods is kept within its limit while it is written: head, errors and tail stay, and the gap is marked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launcher.logs.gaps import GapReader, has_gap, stored_bytes
from launcher.logs.grammar import read_records
from launcher.logs.packed import open_log
from launcher.logs.pattern import Pattern
from launcher.logs.scan import Scanner, matching_lines
from launcher.logs.tail import Tail
from launcher.logs.trimming import trim

MIB = 1 << 20
ERROR = b"[ERROR] HCCL(1,python): the cause of it all\n"


@pytest.fixture
def flood(tmp_path: Path) -> Path:
    """A log of 8 MiB with one error in the middle; skips where the file system cannot free parts of files."""
    path = tmp_path / "stdout.log"
    lines = [b"%07d nothing new here\n" % number for number in range(8 * MIB // 25)]
    lines[len(lines) // 3] = ERROR
    path.write_bytes(b"".join(lines))
    return path


def lines_of(path: Path) -> list[bytes]:
    with open_log(path) as log:
        return log.readlines()


def test_a_log_below_the_limit_is_left_alone(flood: Path) -> None:
    before = flood.read_bytes()
    assert trim(flood, 16 * MIB) == 0
    assert flood.read_bytes() == before


def test_head_errors_and_tail_stay_and_each_gap_is_marked(flood: Path) -> None:
    size = flood.stat().st_size
    assert trim(flood, MIB) >= size - MIB
    assert flood.stat().st_size == size
    assert stored_bytes(flood.stat()) <= MIB
    lines = lines_of(flood)
    assert lines[0] == b"0000000 nothing new here\n"
    assert lines[-1].endswith(b"nothing new here\n")
    assert ERROR in lines
    assert sum(b"npu-launch left out" in line for line in lines) == 2
    assert not any(b"\0" in line for line in lines)


def test_what_was_left_out_adds_up_to_the_size(flood: Path) -> None:
    trim(flood, MIB)
    lines = lines_of(flood)
    notes = [line for line in lines if b"npu-launch left out" in line]
    pages = 4096 * len(notes)  # a note takes the first page of its gap
    left_out = sum(int(note.split(b"left out ")[1].split()[0]) for note in notes)
    assert sum(map(len, lines)) - pages + left_out == flood.stat().st_size


def test_the_writer_goes_on_at_the_end_and_is_trimmed_again(flood: Path) -> None:
    with flood.open("ab", buffering=0) as writer:
        for turn in range(4):
            trim(flood, MIB)
            writer.write(b"turn %d\n" % turn + b"x" * 99 + b"\n" * MIB)
    trim(flood, MIB)
    lines = lines_of(flood)
    assert lines[0] == b"0000000 nothing new here\n"
    assert ERROR in lines
    assert stored_bytes(flood.stat()) <= MIB


def test_positions_are_those_of_the_file_on_both_sides_of_a_gap(flood: Path) -> None:
    content = flood.read_bytes()
    trim(flood, MIB)
    assert has_gap(flood.stat())
    with GapReader(os.open(flood, os.O_RDONLY)) as log:
        for offset in (len(content) - 1000, 10, len(content) - 70_000, 5000):
            assert log.seek(offset) == offset
            assert log.read(500) == content[offset : offset + 500]
            assert log.tell() == offset + 500
        assert log.seek(-100, os.SEEK_END) == len(content) - 100
        assert log.read() == content[-100:]


def test_reading_from_within_a_gap_begins_behind_it(flood: Path) -> None:
    content = flood.read_bytes()
    trim(flood, MIB)
    with GapReader(os.open(flood, os.O_RDONLY)) as log:
        log.seek(len(content) // 2)
        assert (begun := log.read(1)) != b"\0"
        assert content[log.tell() - 1 : log.tell()] == begun


def test_a_follower_that_is_behind_goes_on_behind_the_gap(flood: Path) -> None:
    tail = Tail(flood)
    first = tail.read()
    trim(flood, MIB)
    lines = []
    while block := tail.read():
        lines += block
    tail.close()
    assert first[0] == b"0000000 nothing new here"
    assert not any(b"\0" in line for line in lines)
    assert lines[-1] == flood.read_bytes().splitlines()[-1]


def test_no_link_is_followed(flood: Path) -> None:
    link = flood.with_name("link")
    link.symlink_to(flood)
    with pytest.raises(OSError, match="symbolic"):
        trim(link, MIB)


def test_lines_behind_a_gap_have_the_numbers_that_an_editor_gives_them(flood: Path) -> None:
    trim(flood, MIB)
    seen_by_editors = flood.read_bytes().count(b"\n")
    scanned = list(matching_lines(flood, Scanner([Pattern("nothing new here")])))
    assert scanned[-1].number == seen_by_editors
    assert [record.line for record in read_records(flood)][-1] == seen_by_editors
