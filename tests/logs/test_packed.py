"""A log reads the same from wherever it is read, whatever form it lies in."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs import frames
from launcher.logs.packed import existing, open_log

LINES = [b"step %d loss 0.%d\n" % (number, number * 7919) for number in range(20_000)]
TEXT = b"".join(LINES)


def plain(path: Path, text: bytes) -> Path:
    path.write_bytes(text)
    return path


def framed(path: Path, text: bytes) -> Path:
    with path.with_name(path.name + ".zst").open("wb") as target:
        frames.compress([text[:5], text[5:]], target)
    return path


def foreign_zstd(path: Path, text: bytes) -> Path:
    halves = text[: len(text) // 2], text[len(text) // 2 :]
    return plain(path.with_name(path.name + ".zst"), b"".join(map(zstandard.compress, halves)))


def gzipped(path: Path, text: bytes) -> Path:
    return plain(path.with_name(path.name + ".gz"), gzip.compress(text, 1))


FORMS = (plain, framed, foreign_zstd, gzipped)


@pytest.mark.parametrize("form", FORMS)
def test_a_log_has_the_same_lines_in_every_form(form: Callable[[Path, bytes], Path], tmp_path: Path) -> None:
    with open_log(form(tmp_path / "stdout.log", TEXT)) as log:
        assert log.readlines() == LINES


@pytest.mark.parametrize("form", FORMS)
def test_a_log_is_read_from_anywhere_forwards_and_back(
    form: Callable[[Path, bytes], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frames, "FRAME", 50_000)
    with open_log(form(tmp_path / "stdout.log", TEXT)) as log:
        assert log.seek(0, io.SEEK_END) == len(TEXT)
        for offset in (0, len(TEXT) - 10, 49_999, 50_000, 50_001, 7, len(TEXT)):
            assert log.seek(offset) == offset
            assert log.read(60_000) == TEXT[offset : offset + 60_000]
            assert log.tell() == min(offset + 60_000, len(TEXT))


@settings(max_examples=30, deadline=None)
@given(text=st.binary(max_size=300), frame=st.integers(1, 100), offset=st.integers(0, 400))
def test_frames_give_back_every_byte(
    text: bytes, frame: int, offset: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("frames") / "stdout.log"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(frames, "FRAME", frame)
        framed(path, text)
    with open_log(path) as log:
        log.seek(offset)
        assert log.read() == text[offset:]


def test_any_zstd_reads_what_we_compress(tmp_path: Path) -> None:
    path = framed(tmp_path / "stdout.log", TEXT)
    with path.with_name("stdout.log.zst").open("rb") as file:
        assert zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True).read() == TEXT


def test_a_log_that_is_compressed_while_one_looks_for_it_is_found(tmp_path: Path) -> None:
    path = framed(tmp_path / "stdout.log", b"hello\n")
    assert existing(path) == tmp_path / "stdout.log.zst"
    with open_log(path) as log:
        assert log.read() == b"hello\n"


def test_a_log_that_is_nowhere_is_told_as_such(tmp_path: Path) -> None:
    assert existing(tmp_path / "stdout.log") is None
    with pytest.raises(FileNotFoundError):
        open_log(tmp_path / "stdout.log")


def test_a_log_that_grows_is_read_on(tmp_path: Path) -> None:
    path = plain(tmp_path / "stdout.log", b"one\n")
    with open_log(path) as log, path.open("ab", buffering=0) as writer:
        assert log.read() == b"one\n"
        writer.write(b"two\n")
        assert log.read() == b"two\n"


@pytest.mark.parametrize("form", (framed, gzipped))
def test_a_damaged_archive_is_an_error_of_the_file(form: Callable[[Path, bytes], Path], tmp_path: Path) -> None:
    form(tmp_path / "stdout.log", TEXT)
    [archive] = tmp_path.iterdir()
    content = archive.read_bytes()
    archive.write_bytes(content[:100] + b"\0" * 50 + content[150:])
    with pytest.raises(OSError), open_log(archive) as log:
        log.read()


@pytest.mark.parametrize("form", (framed, foreign_zstd, gzipped))
def test_of_an_archive_that_was_cut_off_there_is_the_beginning(
    form: Callable[[Path, bytes], Path], tmp_path: Path
) -> None:
    form(tmp_path / "stdout.log", TEXT)
    [archive] = tmp_path.iterdir()
    os.truncate(archive, archive.stat().st_size * 3 // 4)
    found = []
    with suppress(OSError), open_log(archive) as log:
        while line := log.readline():
            found.append(line)
    assert LINES[0] in found
    assert found[:-1] == LINES[: len(found) - 1]


def test_a_table_that_lies_is_not_believed(tmp_path: Path) -> None:
    framed(tmp_path / "stdout.log", TEXT)
    archive = tmp_path / "stdout.log.zst"
    content = bytearray(archive.read_bytes())
    content[-9:-5] = (2**31).to_bytes(4, "little")
    archive.write_bytes(content)
    with open_log(archive) as log:
        assert log.read() == TEXT
