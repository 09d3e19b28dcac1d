"""Logs that are rotated, replaced or copied elsewhere are followed without gap or repeat."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from launcher.logs.followed import FollowedLogs
from launcher.logs.keeping.packing import pack
from launcher.logs.record import LogFile, Source
from launcher.logs.selection import Selection
from launcher.logs.tail import Place, file_id


def file(path: Path) -> LogFile:
    return LogFile(path, path.name, Source.PLOG, rank=0)


def append(path: Path, text: str) -> None:
    with path.open("a") as opened:
        opened.write(text)


@pytest.fixture
def logs() -> FollowedLogs:
    return FollowedLogs(Selection(), levels=False)


def read(logs: FollowedLogs) -> list[str]:
    logs.wait(0)
    return [text.decode().rstrip("\n") for _, lines in logs.read(1000.0) for text in lines.texts]


def test_a_log_that_was_renamed_is_not_read_again(tmp_path: Path, logs: FollowedLogs) -> None:
    log, older = tmp_path / "log", tmp_path / "log.1"
    append(log, "one\n")
    logs.add(file(log))
    assert read(logs) == ["one"]
    append(log, "two\n")
    log.rename(older)
    append(log, "three\n")
    logs.add(file(log))
    logs.add(file(older))
    assert read(logs) + read(logs) == ["two", "three"]
    older.rename(tmp_path / "log.2")
    (tmp_path / "log.2").rename(tmp_path / "log.3")
    (tmp_path / "log.3.gz").write_bytes(b"packed")
    for path in (tmp_path / "log.3", tmp_path / "log.3.gz"):
        logs.add(file(path))
    assert read(logs) == []
    logs.close()


def test_places_lead_another_on_from_where_one_stopped(tmp_path: Path, logs: FollowedLogs) -> None:
    log = tmp_path / "log"
    append(log, "one\ntwo\nhalf")
    logs.add(file(log))
    assert read(logs) == ["one", "two"]
    place = logs.moved()["log"]
    assert place == Place(8, file_id(log))
    assert logs.moved() == {}
    logs.close()
    other = FollowedLogs(Selection(), levels=False)
    other.add(file(log), place)
    append(log, " line\n")
    assert read(other) == ["half line"]
    other.close()


def finish(logs: FollowedLogs) -> list[str]:
    return [text.decode().rstrip("\n") for _, lines in logs.finish(1000.0) for text in lines.texts]


@pytest.mark.parametrize("begin", [0, 4, 14])
def test_what_is_left_of_a_log_that_was_compressed_meanwhile_is_read(
    tmp_path: Path, logs: FollowedLogs, begin: int
) -> None:
    log = tmp_path / "log"
    append(log, "one\ntwo\nthree\n")
    pack(log)
    assert not log.exists()
    logs.add(file(log), Place(begin, 7))
    assert read(logs) == {0: ["one", "two", "three"], 4: ["two", "three"], 14: []}[begin]
    assert logs.moved() == {"log": Place(14, 7)}
    assert read(logs) + finish(logs) == []
    logs.close()


def test_of_a_long_log_that_was_compressed_a_part_is_read_at_a_time(tmp_path: Path, logs: FollowedLogs) -> None:
    log = tmp_path / "log"
    lines = [f"line {number} " + "x" * 1000 for number in range(3000)]
    append(log, "".join(line + "\n" for line in lines))
    pack(log)
    logs.add(file(log), Place(0, 7))
    parts = []
    while part := read(logs):
        parts.append(part)
    assert [line for part in parts for line in part] == lines
    assert len(parts) > 2
    logs.close()


def test_what_rotation_compressed_is_not_read_as_it_lies(tmp_path: Path, logs: FollowedLogs) -> None:
    packed = tmp_path / "log.1.gz"
    packed.write_bytes(gzip.compress(b"one\n"))
    logs.add(file(packed), Place(4, file_id(packed)))
    assert read(logs) + finish(logs) == []
    logs.close()


def test_the_cut_form_of_a_log_that_is_followed_is_not_read_again(tmp_path: Path, logs: FollowedLogs) -> None:
    log, lost = tmp_path / "stdout.log", tmp_path / "lost.log"
    append(log, "one\n")
    for each in (log, lost):
        logs.add(file(each))
        append(each.with_name(each.name + ".cut"), "of " + each.name + "\n")
        logs.add(file(each.with_name(each.name + ".cut")))
    assert sorted(read(logs) + finish(logs)) == ["of lost.log", "one"]
    logs.close()


def test_a_copy_that_is_behind_is_waited_for(tmp_path: Path, logs: FollowedLogs) -> None:
    log = tmp_path / "log"
    append(log, "one\n")
    logs.add(file(log), Place(8, 0))
    assert read(logs) == []
    append(log, "two\nthree\n")
    assert read(logs) == ["three"]
    logs.close()


def test_the_last_line_counts_without_its_end_when_nobody_writes_any_more(tmp_path: Path, logs: FollowedLogs) -> None:
    append(tmp_path / "log", "one\nhalf")
    logs.add(file(tmp_path / "log"))
    assert [text for _, lines in logs.finish(0.0) for text in lines.texts] == [b"one\n", b"half\n"]
    logs.close()


def test_a_file_that_cannot_be_there_is_waited_for_quietly(tmp_path: Path, logs: FollowedLogs) -> None:
    logs.add(file(tmp_path / "later" / "log"))
    assert read(logs) == []
    (tmp_path / "later").mkdir()
    append(tmp_path / "later" / "log", "one\n")
    assert read(logs) + read(logs) == ["one"]
    logs.close()
