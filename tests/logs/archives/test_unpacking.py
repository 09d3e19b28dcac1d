"""Archives of logs: whatever is in them, nothing but plain files below one folder comes out."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from warnings import catch_warnings, simplefilter

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from launcher.errors import UsageError
from launcher.logs.archives import Limits, is_archive, unpacked
from launcher.logs.archives.limits import Room

_KINDS = {
    "tar": lambda data: data,
    "tar.gz": gzip.compress,
    "tar.bz2": bz2.compress,
    "tar.xz": lzma.compress,
    "tar.zst": zstandard.compress,
}
_LINK, _HARD, _DEVICE, _PIPE = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE


def _tar(entries: Iterable[tuple[str, bytes | tuple[bytes, str]]], mode: int = 0o644) -> bytes:
    """A tar with files, given by their content, and other entries, given by their type and what they link to."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            if isinstance(content, bytes):
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
            else:
                entry.type, entry.linkname = content
                tar.addfile(entry)
    return out.getvalue()


def _zip(entries: Iterable[tuple[str, bytes]], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", kind) as archive:
        for name, content in entries:
            archive.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


def _archive(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _unpacked(path: Path, limits: Limits | None = None) -> dict[str, bytes]:
    with unpacked(path, limits) as folder:
        found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    assert not folder.exists()
    return found


_FILES = {"a/rank-0.txt": b"0" * 3000, "b.log": b""}


@pytest.mark.parametrize("kind", _KINDS)
def test_tars_of_all_kinds_are_unpacked_and_go_afterwards(tmp_path: Path, kind: str) -> None:
    path = _archive(tmp_path, f"logs.{kind}", _KINDS[kind](_tar(_FILES.items())))
    assert is_archive(path)
    assert _unpacked(path) == _FILES


@pytest.mark.parametrize("kind", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_are_unpacked(tmp_path: Path, kind: int) -> None:
    assert _unpacked(_archive(tmp_path, "logs.zip", _zip(_FILES.items(), kind))) == _FILES


@pytest.mark.parametrize(
    ("ending", "pack"),
    [("gz", gzip.compress), ("zst", zstandard.compress), ("xz", lzma.compress), ("bz2", bz2.compress)],
)
def test_one_compressed_log_is_unpacked_under_its_name(
    tmp_path: Path, ending: str, pack: Callable[[bytes], bytes]
) -> None:
    assert _unpacked(_archive(tmp_path, f"train.log.{ending}", pack(b"x" * 70_000))) == {"train.log": b"x" * 70_000}


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, lzma.compress, bz2.compress])
def test_what_parallel_compressors_write_in_pieces_is_read_to_its_end(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    assert _unpacked(_archive(tmp_path, "train.log.x", pack(b"one\n") + pack(b"two\n"))) == {"train.log": b"one\ntwo\n"}


def test_the_archives_of_hosts_in_an_archive_become_folders_of_their_names(tmp_path: Path) -> None:
    inner = [
        ("node-a.tar.gz", gzip.compress(_tar([("messages", b"m")]))),
        ("sub/node-b.zip", _zip([("messages", b"m")])),
        ("node-c.tar", _tar([("deeper.tar", _tar([("x", b"x")]))])),
        ("rank-0.log.xz", lzma.compress(b"x")),
        ("rank-1.log.gz", gzip.compress(b"x")),
        ("rank-2.log.bz2", bz2.compress(b"x")),
        ("rank-2.log", b"newer"),
        ("model.zip", b"no archive"),
    ]
    found = _unpacked(_archive(tmp_path, "all.tar", _tar(inner)))
    assert set(found) == {
        "node-a/messages",
        "sub/node-b/messages",
        "node-c/deeper.tar",
        "rank-0.log",
        "rank-1.log.gz",
        "rank-2.log",
        "rank-2.log.bz2.unpacked/rank-2.log",
        "model.zip",
    }


def test_files_are_private_and_plain_whatever_the_archive_wants(tmp_path: Path) -> None:
    with unpacked(_archive(tmp_path, "a.tar", _tar([("d/tool", b"#!")], mode=0o6777))) as folder:
        assert stat.S_IMODE((folder / "d/tool").stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_links_and_devices_are_left_out_and_links_between_its_own_files_are_files(tmp_path: Path) -> None:
    entries: list[tuple[str, bytes | tuple[bytes, str]]] = [
        ("log", b"x"),
        ("same", (_HARD, "log")),
        ("outside", (_HARD, "/etc/passwd")),
        ("missing", (_HARD, "nowhere")),
        ("link", (_LINK, "/etc/passwd")),
        ("link/passwd", b"through the link"),
        ("null", (_DEVICE, "")),
        ("pipe", (_PIPE, "")),
    ]
    assert _unpacked(_archive(tmp_path, "a.tar", _tar(entries))) == {
        "log": b"x",
        "same": b"x",
        "link/passwd": b"through the link",
    }


def test_absolute_names_begin_at_the_folder(tmp_path: Path) -> None:
    assert _unpacked(_archive(tmp_path, "a.tar", _tar([("/var/log/messages", b"m")]))) == {"var/log/messages": b"m"}


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/..", "a/" * 100 + "x"])
def test_names_that_lead_elsewhere_are_refused_by_name(tmp_path: Path, name: str) -> None:
    for path in (
        _archive(tmp_path, "a.tar", _tar([("fine", b"1"), (name, b"2")])),
        _archive(tmp_path, "a.zip", _zip([("fine", b"1"), (name, b"2")])),
    ):
        with pytest.raises(UsageError) as error:
            _unpacked(path)
        assert error.value.where == str(path) and name in error.value.what


def test_a_zip_from_windows_has_folders_and_chinese_names(tmp_path: Path) -> None:
    name = "日志\\rank-0.txt"
    content = _zip([("A" * len(name.encode("gbk")), b"x")]).replace(b"A" * len(name.encode("gbk")), name.encode("gbk"))
    assert _unpacked(_archive(tmp_path, "a.zip", content)) == {"日志/rank-0.txt": b"x"}


def test_of_two_entries_of_one_name_the_later_counts(tmp_path: Path) -> None:
    assert _unpacked(_archive(tmp_path, "a.tar", _tar([("x", b"1"), ("x", b"22")]))) == {"x": b"22"}


def test_an_entry_in_the_place_of_another_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'x/y' in it cannot be unpacked"):
        _unpacked(_archive(tmp_path, "a.tar", _tar([("x", b"1"), ("x/y", b"2")])))
    with pytest.raises(UsageError, match="cannot be unpacked: File name too long"):
        _unpacked(_archive(tmp_path, "a.tar", _tar([("n" * 300, b"1")])))


def test_an_archive_with_a_password_is_refused(tmp_path: Path) -> None:
    content = bytearray(_zip([("x", b"1")]))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    with pytest.raises(UsageError, match="'x' in it is encrypted"):
        _unpacked(_archive(tmp_path, "a.zip", bytes(content)))


@pytest.mark.parametrize("kind", _KINDS)
def test_an_archive_that_was_cut_off_is_damaged(tmp_path: Path, kind: str) -> None:
    content = _KINDS[kind](_tar([("x", os.urandom(5000)), ("y", os.urandom(50_000))]))
    path = _archive(tmp_path, "a", content[: len(content) // 2])
    with pytest.raises(UsageError, match="it is damaged") as error:
        _unpacked(path)
    assert error.value.where == str(path)


def test_the_error_of_an_archive_in_an_archive_names_both(tmp_path: Path) -> None:
    inner = gzip.compress(_tar([("x", os.urandom(5000))]))[:-1000]
    path = _archive(tmp_path, "all.tar", _tar([("a/node-b.tar.gz", inner)]))
    with pytest.raises(UsageError) as error:
        _unpacked(path)
    assert error.value.where == f"{path}: a/node-b.tar.gz"


@pytest.mark.parametrize("content", [b"", b"no archive", b"x" * 5000])
def test_what_is_no_archive_is_refused(tmp_path: Path, content: bytes) -> None:
    path = _archive(tmp_path, "a.tar.gz", content)
    assert not is_archive(path)
    with pytest.raises(UsageError, match="it is no archive"):
        _unpacked(path)


def test_an_archive_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert not is_archive(tmp_path / "nowhere.tar")
    with pytest.raises(UsageError, match="it cannot be read: No such file"):
        _unpacked(tmp_path / "nowhere.tar")


def test_more_bytes_or_entries_than_allowed_are_refused(tmp_path: Path) -> None:
    for content in (_tar([("a", b"x" * 600), ("b", b"x" * 600)]), _zip([("a", b"x" * 600), ("b", b"x" * 600)])):
        path = _archive(tmp_path, "a", content)
        with pytest.raises(UsageError, match="it unpacks to more than"):
            _unpacked(path, Limits(size=1000))
        with pytest.raises(UsageError, match="it has more than 1 entries"):
            _unpacked(path, Limits(files=1))
        assert len(_unpacked(path, Limits(size=1200, files=2))) == 2


def test_archives_within_an_archive_count_with_it(tmp_path: Path) -> None:
    path = _archive(
        tmp_path, "a.tar", _tar([(f"{n}.tar.gz", gzip.compress(_tar([("x", b"x" * 900)]))) for n in range(3)])
    )
    with pytest.raises(UsageError, match="it unpacks to more than"):
        _unpacked(path, Limits(size=2500))


def test_what_unpacks_to_far_more_than_its_size_is_refused_once_it_is_large() -> None:
    room = Room(Limits(), free=1 << 50)
    room.take("a", 1, out=4 << 30, consumed=1000)
    room.take("a", 1, out=5 << 30, consumed=100 << 20)
    with pytest.raises(UsageError, match="more than 250 times its size"):
        room.take("a", 1, out=5 << 30, consumed=1 << 20)


def test_a_disk_that_is_too_small_is_told_as_such() -> None:
    with pytest.raises(UsageError, match="does not fit onto the disk") as error:
        Room(Limits(), free=1000).take("a", 1001, out=1001, consumed=1)
    assert "TMPDIR" in error.value.remedy


def test_headers_of_a_tar_that_claim_to_be_huge_are_not_read_into_memory(tmp_path: Path) -> None:
    entry = tarfile.TarInfo("x")
    entry.type, entry.size = tarfile.XHDTYPE, 64 << 20
    path = _archive(tmp_path, "a.tar.gz", gzip.compress(entry.tobuf() + bytes(64 << 20), 1))
    with pytest.raises(UsageError, match="longer than any name"):
        _unpacked(path)


def test_a_directory_of_a_zip_that_is_too_long_is_not_read_into_memory(tmp_path: Path) -> None:
    path = _archive(tmp_path, "a.zip", _zip((f"{n:06}" + "n" * 200, b"") for n in range(6000)))
    with pytest.raises(UsageError, match="its directory"):
        _unpacked(path, Limits(files=10))


_PART = st.sampled_from(["..", ".", "", "a", "A", "b", "ä", "x" * 300, "a\\b", "a\nb", "\x1b[2J", "C:", "nul\x00"])
_NAME = st.lists(_PART, min_size=1, max_size=4).map("/".join)
_CONTENT = st.one_of(
    st.binary(max_size=50), st.tuples(st.sampled_from([_LINK, _HARD, _DEVICE, _PIPE, tarfile.DIRTYPE]), _NAME)
)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where archives are unpacked to in this test alone."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def _take(path: Path, temporary: Path) -> None:
    """Unpack an archive or be refused; nothing but plain files below the folder may come of it."""
    with suppress(UsageError), unpacked(path, Limits(size=1 << 20, files=100)) as folder:
        for found in folder.rglob("*"):
            status = found.lstat()
            assert stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)
            assert stat.S_IMODE(status.st_mode) == 0o600 or found.is_dir()
            assert found.resolve().is_relative_to(folder.resolve())
            assert found.name.isprintable()
    assert {found.name for found in temporary.parent.iterdir()} == {temporary.name, path.name}
    assert list(temporary.iterdir()) == []


_FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@given(entries=st.lists(st.tuples(_NAME, _CONTENT), max_size=6), kind=st.sampled_from(sorted(_KINDS)))
@_FUZZ
def test_whatever_entries_a_tar_has_nothing_but_plain_files_come_out(
    tmp_path: Path, temporary: Path, entries: list[tuple[str, bytes | tuple[bytes, str]]], kind: str
) -> None:
    usable = [(name, content) for name, content in entries if "\0" not in name]
    _take(_archive(tmp_path, "a", _KINDS[kind](_tar(usable))), temporary)


@given(entries=st.lists(st.tuples(_NAME, st.binary(max_size=50)), max_size=6), attributes=st.integers(0, 2**32 - 1))
@_FUZZ
def test_whatever_entries_a_zip_has_nothing_but_plain_files_come_out(
    tmp_path: Path, temporary: Path, entries: list[tuple[str, bytes]], attributes: int
) -> None:
    path = tmp_path / "a"
    with zipfile.ZipFile(path, "w") as archive, catch_warnings():
        simplefilter("ignore")  # names that come twice are meant
        for name, content in entries:
            entry = zipfile.ZipInfo(name)
            entry.external_attr = attributes
            archive.writestr(entry, content)
    _take(path, temporary)


_WHOLE = [
    *(pack(_tar([("a/b", b"x" * 700), ("c", (_HARD, "a/b")), ("n" * 150, b"y")])) for pack in _KINDS.values()),
    _zip([("a/b", b"x" * 700), ("c", b"y")]),
    _tar([("inner.tar.gz", gzip.compress(_tar([("x", b"x")])))]),
]


@given(
    content=st.sampled_from(_WHOLE),
    changes=st.lists(st.tuples(st.integers(0, 1 << 14), st.integers(0, 255)), max_size=8),
    end=st.integers(0, 1 << 14),
)
@_FUZZ
def test_a_damaged_archive_is_refused_or_unpacked_but_never_anything_else(
    tmp_path: Path, temporary: Path, content: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    damaged = bytearray(content)
    for place, value in changes:
        damaged[place % len(damaged)] = value
    _take(_archive(tmp_path, "a", bytes(damaged[: end or None])), temporary)
