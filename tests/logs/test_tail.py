"""Every line of a growing file comes once, whole."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs.tail import Tail, last_lines, offset_of_last


def read_all(tail: Tail) -> list[bytes]:
    lines = []
    while block := tail.read():
        lines += block
    return lines


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_a_file_that_does_not_exist_yet_is_waited_for(tmp_path: Path) -> None:
    tail = Tail(tmp_path / "later" / "log")
    assert tail.read() == []
    (tmp_path / "later").mkdir()
    append(tmp_path / "later" / "log", b"one\n")
    assert tail.read() == [b"one"]


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = Tail(log)
    append(log, b"one\ntw")
    assert read_all(tail) == [b"one"]
    append(log, b"o")
    assert tail.read() == []
    append(log, b"\n\nfour")
    assert read_all(tail) == [b"two", b""]
    assert tail.finish() == [b"four"]
    assert tail.finish() == []


def test_a_truncated_file_is_read_from_its_new_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, b"one\nhalf")
    tail = Tail(log)
    assert read_all(tail) == [b"one"]
    log.write_bytes(b"n\n")
    assert read_all(tail) == [b"half", b"n"]


def test_a_replaced_file_is_read_to_its_end_and_then_the_new_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, b"one\n")
    tail = Tail(log)
    assert read_all(tail) == [b"one"]
    append(log, b"two\nhalf")
    log.rename(tmp_path / "log.1")
    append(log, b"three\nfour\n")
    assert read_all(tail) == [b"two", b"half", b"three", b"four"]


def test_a_deleted_file_that_comes_again_is_read_from_its_start(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, b"one\n")
    tail = Tail(log)
    assert read_all(tail) == [b"one"]
    log.unlink()
    assert tail.read() == []
    append(log, b"uno\ndos\n")
    assert read_all(tail) == [b"uno", b"dos"]


def test_closing_forgets_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, b"one\ntw")
    tail = Tail(log)
    assert read_all(tail) == [b"one"]
    tail.close()
    append(log, b"o\n")
    assert read_all(tail) == [b"two"]


def test_a_line_of_many_megabytes_keeps_its_ends_and_says_what_is_missing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, b"<" + b"x" * 5_000_000 + b">\nnext\n")
    long, following = read_all(Tail(log))
    assert len(long) < 300_000
    assert long.startswith(b"<x")
    assert long.endswith(b"x>")
    assert b" bytes left out] " in long
    left_out = int(long.split(b"[")[1].split()[0])
    assert left_out + len(long.replace(b" ... [%d bytes left out] ... " % left_out, b"")) == 5_000_002
    assert following == b"next"


def test_a_line_that_never_ends_is_bounded_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tail = Tail(log)
    for _ in range(5):
        append(log, b"y" * 1_000_000)
        assert tail.read() == []
    (line,) = tail.finish()
    assert len(line) < 300_000


@settings(max_examples=50)
@given(st.lists(st.binary(max_size=40).map(lambda data: data.replace(b"x", b"\n")), max_size=12))
def test_lines_do_not_depend_on_how_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes]
) -> None:
    log = tmp_path_factory.mktemp("tail") / "log"
    tail = Tail(log)
    lines = []
    for piece in pieces:
        append(log, piece)
        lines += read_all(tail)
    lines += tail.finish()
    tail.close()
    whole = b"".join(pieces)
    assert lines == whole.split(b"\n")[: None if whole and not whole.endswith(b"\n") else -1]


@settings(max_examples=100)
@given(st.binary(max_size=60).map(lambda data: data.replace(b"x", b"\n")), st.integers(min_value=0, max_value=8))
def test_the_last_lines_are_the_last_lines(tmp_path_factory: pytest.TempPathFactory, data: bytes, count: int) -> None:
    log = tmp_path_factory.mktemp("tail") / "log"
    log.write_bytes(data)
    lines = data.split(b"\n")[: None if data and not data.endswith(b"\n") else -1]
    assert last_lines(log, count) == (lines[-count:] if count else [])


def test_the_last_lines_of_a_large_file_are_found_from_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(1 << 40)  # a terabyte of nothing, which nobody could read in time
    append(log, b"\nlast but one\nlast\n")
    assert last_lines(log, 2) == [b"last but one", b"last"]


def test_following_on_from_the_last_lines_misses_nothing(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, b"one\ntwo\nthr")
    tail = Tail(log, offset_of_last(log, 2))
    assert read_all(tail) == [b"two"]
    append(log, b"ee\nfour\n")
    assert read_all(tail) == [b"three", b"four"]


def test_no_file_has_no_last_lines(tmp_path: Path) -> None:
    assert last_lines(tmp_path / "none", 5) == []


def test_of_a_huge_log_of_one_line_only_the_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        file.truncate(1 << 40)
    append(log, b"\r 99%")
    (line,) = last_lines(log, 200)
    assert line.endswith(b"\r 99%")
    append(log, b"\nlast\n")
    assert last_lines(log, 200) == [b"last"]


def test_as_many_ordinary_lines_as_are_asked_for_are_found(tmp_path: Path) -> None:
    log = tmp_path / "log"
    append(log, b"".join(b"%0999d\n" % number for number in range(5000)))
    assert [int(line) for line in last_lines(log, 4000)] == list(range(1000, 5000))
