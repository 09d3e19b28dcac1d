"""The record survives what happens to files."""

from __future__ import annotations

import os
from pathlib import Path

from launcher.runs.events import Note, StopRequested
from launcher.runs.lock import Lock, is_held
from launcher.runs.record import RecordReader, RecordWriter


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    events = [Note(time=1.5, text="déjà vu\nsecond line"), StopRequested(time=2.0, by="a'; touch x #")]
    with RecordWriter(path) as writer:
        assert writer.append(events) is None
    assert RecordReader(path).read() == events


def test_a_reader_gets_each_event_once(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    reader = RecordReader(path)
    assert reader.read() == []
    with RecordWriter(path) as writer:
        writer.append([Note(time=1, text="a")])
        assert [e.text for e in reader.read() if isinstance(e, Note)] == ["a"]
        writer.append([Note(time=2, text="b"), Note(time=3, text="c")])
        assert [e.text for e in reader.read() if isinstance(e, Note)] == ["b", "c"]
    assert reader.read() == []


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    line = b'{"type":"note","time":1,"text":"whole"}\n'
    path.write_bytes(line[:20])
    reader = RecordReader(path)
    assert reader.read() == []
    with path.open("ab") as file:
        file.write(line[20:])
    assert [e.text for e in reader.read() if isinstance(e, Note)] == ["whole"]


def test_a_torn_line_costs_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"type":"note","time":1,"te')  # its writer lost power
    with RecordWriter(path) as writer:
        writer.append([Note(time=2, text="next")])
    assert RecordReader(path).read() == [Note(time=2, text="next")]


def test_types_of_a_newer_version_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"type":"from_the_future","time":1}\n{"type":"note","time":2,"text":"old","more":1}\n')
    assert RecordReader(path).read() == [Note(time=2, text="old")]


def test_what_a_full_disk_refuses_is_written_when_there_is_room(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with RecordWriter(path) as writer:
        full = os.open("/dev/full", os.O_WRONLY)
        disk = os.dup(writer._fd)
        os.dup2(full, writer._fd)
        error = writer.append([Note(time=1, text="first")])
        assert error is not None and error.errno == 28
        os.dup2(disk, writer._fd)
        assert writer.append([Note(time=2, text="second")]) is None
        os.close(full)
        os.close(disk)
    assert RecordReader(path).read() == [Note(time=1, text="first"), Note(time=2, text="second")]


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first, second = Lock(path), Lock(path)
    assert not is_held(path)
    assert first.try_acquire()
    assert is_held(path)
    assert not second.try_acquire()
    first.release()
    assert not is_held(path)
    assert second.try_acquire()
    second.release()
