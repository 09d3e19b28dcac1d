"""Logs that no program would write, and what must hold for them all the same."""

from __future__ import annotations

import io
import itertools
import re
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timezone
from pathlib import Path
from typing import Literal

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from launcher.errors import NpuLaunchError
from launcher.logs.archives import unpacked
from launcher.logs.grammar import Clock, Reader, level_of, normalised, read_records, stamp_of
from launcher.logs.grammar.lines import lines_of
from launcher.logs.grammar.pieces import messages_in
from launcher.logs.record import Record

CAPTURES = Path(__file__).parents[1] / "captures" / "logs"
CLOCK = Clock(timezone.utc, 2026)

_ROUND = 25  # examples between two looks at the time

_captured = sorted({line for log in CAPTURES.rglob("*.log") for line in log.read_bytes().split(b"\n")})
_pieces = st.one_of(
    st.sampled_from(_captured),
    st.sampled_from(_captured).flatmap(lambda line: st.integers(0, len(line)).map(lambda end: line[:end])),
    st.sampled_from(_captured).flatmap(lambda line: st.integers(0, len(line)).map(lambda begin: line[begin:])),
    st.binary(max_size=30),
    st.text(max_size=30).map(lambda text: text.encode("gb18030", "replace")),
    st.sampled_from(
        (b"\r", b"\r\n", b"\x1b[31m", b"\x1b]0;", b"\t", b"[rank1]: ", b"(W pid=7) ", b" " * 300, b"-" * 300)
    ),
)
_lines = st.lists(_pieces, max_size=4).map(lambda pieces: b"".join(pieces).replace(b"\n", b""))
logs = st.lists(_lines, max_size=12)


def records_of(lines: Sequence[bytes]) -> list[Record]:
    reader = Reader(CLOCK)
    return [record for line in lines for record in reader.feed(line)] + list(reader.finish())


def check_that_nothing_is_lost(log: list[bytes]) -> None:
    """The end of every line is in exactly one record, which says truly where it begins; they come in order."""
    # The z ends an escape sequence that a line may stop in the middle of, and that takes the next letter with it.
    lines = [line + b"z; q%dq" % number for number, line in enumerate(log)]
    offsets = list(itertools.accumulate((len(line) + 1 for line in lines), initial=0))
    found = records_of(lines)
    ends = {int(end): record for record in found for end in re.findall(r" q(\d+)q(?=\n|$)", record.text)}
    assert sorted(ends) == list(range(len(log)))
    for number, record in ends.items():
        assert record.line <= number + 1 < record.line + len(log)
    assert all(record.offset == offsets[record.line - 1] for record in found)
    assert [record.line for record in found] == sorted(record.line for record in found)


def check_that_a_file_reads_as_its_lines(log: list[bytes]) -> None:
    """However it is cut: into the blocks that it is read in, and into parts that are read apart."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "stdout.log"
        path.write_bytes(b"".join(line + b"\n" for line in log))
        assert list(read_records(path, CLOCK)) == records_of(log)
        begins = list(itertools.accumulate((len(line) + 1 for line in log), initial=0))
        for cut in begins[:: max(len(begins) // 3, 1)]:
            assert [line.content for part in (lines_of(path, 0, cut), lines_of(path, cut)) for line in part] == log


def check_that_quick_answers_are_those_of_records(log: list[bytes]) -> None:
    for line in log:
        records = records_of([line])
        assert stamp_of(line, CLOCK) == next((record.time for record in records if record.time is not None), None)
        if len(records) == len(messages_in(line)) == 1:
            assert level_of(line) == records[0].level
        for record in records:
            normalised(record.text)


def check_that_an_archive_harms_nobody(archive: bytes) -> None:
    """It is unpacked below its folder, which goes afterwards, or refused with an error of ours."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logs.archive"
        path.write_bytes(archive)
        try:
            with unpacked(path) as inside:
                root = inside.resolve()
                assert all(root in found.resolve().parents for found in inside.rglob("*"))
                assert all(found.is_file() or found.is_dir() for found in inside.rglob("*"))
        except NpuLaunchError:
            return
        finally:
            assert sorted(Path(folder).iterdir()) == [path]
        assert not inside.exists()


_names = st.one_of(
    st.text(min_size=1, max_size=20),
    st.sampled_from(
        ("../up.log", "/etc/abs.log", "a/../../b", "a", "a/b.log", "a/b.log/c", "./x", "x" * 300, "..", "\x00")
    ),
)
_members = st.lists(st.tuples(_names, st.binary(max_size=100), st.sampled_from("fdlhcb")), max_size=5)
_KINDS = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE,
          "c": tarfile.CHRTYPE, "b": tarfile.FIFOTYPE}  # fmt: skip


def _tar(members: list[tuple[str, bytes, str]], mode: Literal["w", "w:gz"]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = _KINDS[kind]
            member.linkname = content.decode("latin-1").replace("\x00", "") or "/etc/passwd"
            member.size = len(content) if kind == "f" else 0
            tar.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def _zip(members: list[tuple[str, bytes, str]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in dict.fromkeys(name for name, _content, _kind in members):
            archive.writestr(zipfile.ZipInfo(name), b"content")
    return buffer.getvalue()


def _damaged(archive: bytes) -> st.SearchStrategy[bytes]:
    """An archive as it is, cut off, or with bytes changed."""
    places = st.lists(st.tuples(st.integers(0, max(len(archive) - 1, 0)), st.integers(0, 255)), max_size=3)
    return st.one_of(
        st.just(archive),
        st.integers(0, len(archive)).map(lambda end: archive[:end]),
        places.map(lambda at: _changed(archive, at)),
    )


def _changed(archive: bytes, places: list[tuple[int, int]]) -> bytes:
    changed = bytearray(archive)
    for place, value in places:
        changed[place : place + 1] = bytes([value])
    return bytes(changed)


archives = st.one_of(
    _members.map(lambda members: _tar(members, "w")),
    _members.map(lambda members: _tar(members, "w:gz")),
    _members.map(_zip),
    st.binary(max_size=300),
).flatmap(_damaged)

CHECKS: tuple[tuple[st.SearchStrategy[object], Callable[..., None]], ...] = (
    (logs, check_that_nothing_is_lost),
    (logs, check_that_a_file_reads_as_its_lines),
    (logs, check_that_quick_answers_are_those_of_records),
    (archives, check_that_an_archive_harms_nobody),
)


def fuzz(seconds: float, first_seed: int = 0) -> Counter[str]:
    """Check inputs until the time is over; how many of each kind. Raises what a check raises, with the input."""
    examples: Counter[str] = Counter()
    end = time.monotonic() + seconds
    quiet = settings(max_examples=_ROUND, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    for number in itertools.count(first_seed):
        for strategy, check in CHECKS:
            seed(number)(quiet(given(strategy)(check)))()
            examples[check.__name__] += _ROUND
            if time.monotonic() > end:
                return examples
    raise AssertionError("there is always a next number")
