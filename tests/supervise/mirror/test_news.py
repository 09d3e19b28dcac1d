"""Whatever grows, in whatever pieces, is copied to the byte, and nobody is starved."""

from __future__ import annotations

import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.gaps import stored_bytes
from launcher.logs.trimming import trim
from launcher.supervise.mirror.news import Piece, Want, fair_shares, read_news, size_of, write_piece


@given(wanted=st.lists(st.integers(0, 1000), max_size=20), budget=st.integers(0, 5000))
def test_shares_are_fair_and_nothing_is_left_over_that_somebody_wants(wanted: list[int], budget: int) -> None:
    shares = fair_shares(wanted, budget)
    assert all(share <= want for share, want in zip(shares, wanted, strict=True))
    assert sum(shares) == min(budget, sum(wanted))
    unsatisfied = [share for share, want in zip(shares, wanted, strict=True) if share < want]
    if unsatisfied:
        assert max(shares) <= min(unsatisfied) + 1


@given(
    writes=st.lists(st.tuples(st.integers(0, 2), st.binary(max_size=300)), max_size=30),
    budget=st.integers(3, 200),
    interrupted=st.booleans(),
)
def test_a_copy_is_always_a_beginning_of_its_log_and_equal_in_the_end(
    writes: list[tuple[int, bytes]], budget: int, interrupted: bool
) -> None:
    with TemporaryDirectory() as folder:
        logs = [Path(folder) / "there" / str(n) for n in range(3)]
        copies = {str(log): Path(folder) / "here" / log.name / "stdout.log" for log in logs}
        logs[0].parent.mkdir()

        def copy_once() -> int:
            """As a supervisor does that knows nothing but what is here."""
            news = read_news([Want(log, size_of(str(copy)) or 0) for log, copy in copies.items()], budget)
            assert sum(len(piece.data) for piece in news) <= budget
            for piece in news:
                copy = piece._replace(path=str(copies[piece.path]))
                write_piece(copy)
                if interrupted:  # another has written the same meanwhile
                    write_piece(copy._replace(data=piece.data[: len(piece.data) // 2]))
            for log, here in copies.items():
                if here.exists():
                    assert Path(log).read_bytes().startswith(here.read_bytes())
            return len(news)

        for number, data in writes:
            with logs[number].open("ab") as log:
                log.write(data)
            copy_once()
        while copy_once():
            pass
        for original, here in copies.items():
            assert (size_of(original) or 0) == (size_of(str(here)) or 0)


def test_a_chatty_log_leaves_the_others_their_share(tmp_path: Path) -> None:
    sizes = {"chatty": 10_000, "quiet": 30, "other": 200}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(b"x" * size)
    news = read_news([Want(str(tmp_path / name), 0) for name in sizes], 1000)
    assert {Path(piece.path).name: len(piece.data) for piece in news} == {"chatty": 770, "quiet": 30, "other": 200}


def test_a_log_that_appears_and_grows_is_told_of_at_once(tmp_path: Path) -> None:
    log = tmp_path / "attempts" / "1" / "ranks" / "0" / "stdout.log"

    def write() -> None:
        log.parent.mkdir(parents=True)
        log.write_bytes(b"hello\n")

    writer = threading.Timer(0.1, write)
    writer.start()
    news: list[Piece] = []
    while not news or not news[0].data:  # between its creation and its first byte
        news = read_news([Want(str(log), 0)], 1000, patience=30)
    writer.join()
    assert news == [Piece(str(log), 0, b"hello\n", 6)]


def test_nothing_new_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"abc")
    assert read_news([Want(str(tmp_path / "log"), 3), Want(str(tmp_path / "none"), 0)], 100, patience=0.01) == []


def test_a_log_that_was_cut_short_says_so(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"abc")
    (piece,) = read_news([Want(str(tmp_path / "log"), 9)], 100)
    assert piece.size < piece.offset
    assert piece.data == b""


def test_a_copy_is_private(tmp_path: Path) -> None:
    path = tmp_path / "ranks" / "0" / "stdout.log"
    write_piece(Piece(str(path), 0, b"secret", 6))
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_a_full_disk_is_an_error_and_what_is_there_a_beginning(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No space"):
        write_piece(Piece("/dev/full", 0, b"x", 1))


def test_a_log_with_a_gap_is_copied_with_its_gap(tmp_path: Path) -> None:
    log, copy = tmp_path / "log", tmp_path / "copy"
    log.write_bytes(b"a line of many\n" * 400_000)
    trim(log, 1 << 20)
    at = 0
    while news := read_news([Want(str(log), at)], 100_000):
        (piece,) = news
        write_piece(piece._replace(path=str(copy)))
        at = piece.offset + len(piece.data)
    assert copy.stat().st_size == log.stat().st_size
    assert stored_bytes(copy.stat()) <= 1 << 20
    assert copy.read_bytes() == log.read_bytes()
