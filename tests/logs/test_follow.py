"""Many files are followed at once; the kernel says when."""

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from launcher.logs.follow import Follower, Watch

FILES = 5
LINES = 200_000
WRITER = f"""
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
files = []
for number in range({FILES}):
    (folder / str(number) / "deep").mkdir(parents=True)
    files.append(open(folder / str(number) / "deep" / "log", "wb", buffering=0))
for line in range({LINES}):
    file = files[line % {FILES}]
    file.write(b"line %d" % line)          # two writes: a reader sees halves of lines
    file.write(b" end\\n" if line < {LINES - FILES} else b" end")
"""


def test_no_line_is_lost_and_none_comes_twice_while_a_process_writes_200_000(tmp_path: Path) -> None:
    follower: Follower[int] = Follower()
    for number in range(FILES):
        follower.add(number, tmp_path / str(number) / "deep" / "log")
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)])
    seen: dict[int, list[bytes]] = {number: [] for number in range(FILES)}
    while writer.poll() is None:
        for number, lines in follower.read():
            seen[number] += lines
        follower.wait(0.2)
    for number, lines in follower.finish():
        seen[number] += lines
    follower.close()
    assert writer.returncode == 0
    for number in range(FILES):
        assert seen[number] == [b"line %d end" % line for line in range(number, LINES, FILES)]


def test_a_new_line_wakes_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.logs.follow.SAFETY_TICK", 60.0)
    log = tmp_path / "log"
    log.write_bytes(b"")
    follower: Follower[str] = Follower()
    follower.add("log", log)
    assert follower.read() == []
    follower.wait(0)
    threading.Timer(0.1, lambda: log.write_bytes(b"one\n")).start()
    began = time.monotonic()
    while not (found := follower.read()):
        follower.wait(30)
    assert found == [("log", [b"one"])]
    assert time.monotonic() - began < 20
    follower.close()


def test_folders_that_are_made_later_are_watched(tmp_path: Path) -> None:
    log = tmp_path / "a" / "b" / "c" / "log"
    follower: Follower[str] = Follower()
    follower.add("log", log)

    def make() -> None:
        log.parent.mkdir(parents=True)
        log.write_bytes(b"one\n")

    threading.Timer(0.1, make).start()
    found = []
    deadline = time.monotonic() + 10
    while not found and time.monotonic() < deadline:
        follower.wait(10)
        found = follower.read()
    assert found == [("log", [b"one"])]
    follower.close()


def test_what_wakes_nobody_is_found_within_the_safety_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(**_options: object) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("launcher.logs.follow.INotify", none_left)
    log = tmp_path / "log"
    follower: Follower[str] = Follower()
    follower.add("log", log)
    assert follower.read() == []
    log.write_bytes(b"one\n")
    began = time.monotonic()
    follower.wait(30)
    assert time.monotonic() - began < 20
    assert follower.read() == [("log", [b"one"])]
    follower.close()


def test_waiting_costs_no_processor_time(tmp_path: Path) -> None:
    follower: Follower[int] = Follower()
    for number in range(64):
        follower.add(number, tmp_path / str(number))
    follower.read()
    began = time.process_time()
    for _ in range(3):
        follower.wait(0.3)
        follower.read()
    assert time.process_time() - began < 0.1
    follower.close()


def test_a_descriptor_with_input_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("launcher.logs.follow.SAFETY_TICK", 60.0)
    watch = Watch()
    watch.add(tmp_path / "log")
    reading, writing = os.pipe()
    os.write(writing, b"x")
    began = time.monotonic()
    watch.wait(30, reading)
    assert time.monotonic() - began < 20
    watch.close()
    os.close(reading)
    os.close(writing)


def test_a_folder_that_is_removed_and_made_again_is_watched_again(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    watch = Watch()
    watch.add(folder / "log")
    folder.rmdir()
    watch.wait(0)
    folder.mkdir()
    watch.wait(0)
    (folder / "log").write_bytes(b"one\n")
    assert folder in watch.wait(0.5)
    watch.close()
