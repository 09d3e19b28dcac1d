"""What is found on a host: files below the folders of a run, and where in them the first errors are."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from launcher.supervise.gather.sources import Found, Wanted, first_errors, listing, read_pieces


def excerpts(path: Path, most: int = 1 << 20) -> list[bytes]:
    """What is at the places of the first errors in a file."""
    content = path.read_bytes()
    (places,) = first_errors([(Found(str(path), len(content)), most)])
    return [content[begin:end] for begin, end in places]


def test_errors_are_found_with_the_lines_around_them(tmp_path: Path) -> None:
    lines = [b"line %d\n" % number for number in range(100)]
    lines[20] = b"[ERROR] HCCL(1,python): no link\n"
    lines[60], lines[64] = b"Traceback (most recent call last):\n", b"ValueError: no\n"
    (tmp_path / "log").write_bytes(b"".join(lines))
    assert excerpts(tmp_path / "log") == [b"".join(lines[17:27]), b"".join(lines[57:71])]


@pytest.mark.parametrize("number", [0, 1, 99])
def test_an_error_at_an_end_of_the_file_is_found(tmp_path: Path, number: int) -> None:
    lines = [b"line %d\n" % number for number in range(100)]
    lines[number] = b"ERROR"
    (tmp_path / "log").write_bytes(b"".join(lines))
    assert b"ERROR" in excerpts(tmp_path / "log")[0]


def test_of_many_errors_the_first_are_found(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"".join(b"ERROR %d\n" % number for number in range(10_000)))
    found = excerpts(tmp_path / "log", most=1000)
    assert found[0].startswith(b"ERROR 0\nERROR 1\n")
    assert sum(map(len, found)) >= 1000


def test_a_file_without_line_ends_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(bytes(1 << 20) + b"ERROR" + bytes(1 << 20))
    assert b"ERROR" in excerpts(tmp_path / "log")[0]


def test_links_and_what_is_left_out_are_not_listed(tmp_path: Path) -> None:
    (tmp_path / "ranks/0/work").mkdir(parents=True)
    (tmp_path / "ranks/0/stdout.log").write_text("log")
    (tmp_path / "ranks/0/work/big.ckpt").write_text("checkpoint")
    (tmp_path / "ranks/0/secret").symlink_to("/etc/passwd")
    found = listing([str(tmp_path / "ranks"), str(tmp_path / "gone")], left_out=["work"])
    assert found == (Found(str(tmp_path / "ranks/0/stdout.log"), 3),)


def test_pieces_come_together_and_tell_when_there_is_less(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    wanted = [Wanted(str(tmp_path / name), 4, 3) for name in "ab"] + [Wanted(str(tmp_path / "a"), 8, 5)]
    lengths, compressed = read_pieces(wanted)
    assert (lengths, zlib.decompress(compressed)) == ((3, 0, 2), b"45689")
