"""An archive that arrives in pieces: taken up where it was left, checked, unpacked beside; and what is removed."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from launcher.hosts.provision import settle
from launcher.hosts.provision.push import RECEIVE

PART = ".0011223344556677.aaaa.part"


def receive(folder: Path, *words: str, input: bytes = b"") -> str:
    argv = ["sh", "-c", RECEIVE.read_text(), "sh", str(folder), PART, *words]
    done = subprocess.run(argv, input=input, capture_output=True)
    return done.stdout.decode().strip() if done.returncode == 0 else done.stderr.decode()


@pytest.fixture
def packed(tmp_path: Path) -> bytes:
    (tmp_path / "file").write_text("content")
    with tarfile.open(tmp_path / "packed.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "file", "bin/file")
    return (tmp_path / "packed.tar.gz").read_bytes()


def test_it_is_taken_up_where_an_earlier_push_was_cut_off_and_unpacked_when_it_is_whole(
    tmp_path: Path, packed: bytes
) -> None:
    folder = tmp_path / "env"
    folder.mkdir()
    left = folder / ".0011223344556677.bbbb.part"
    left.write_bytes(packed[:10])
    os.utime(left, (time.time() - 600,) * 2)
    assert receive(folder, "begin", "0011223344556677") == "10"
    assert receive(folder, "append", input=packed[10:20]) == "20"
    assert receive(folder, "begin", "0011223344556677") == "20"
    assert receive(folder, "append", input=packed[20:]) == str(len(packed))
    assert receive(folder, "unpack", hashlib.sha256(packed).hexdigest(), ".x.new") == "unpacked"
    assert (folder / ".x.new/bin/file").read_text() == "content"
    assert [path.name for path in folder.iterdir()] == [".x.new"]


def test_what_another_push_is_filling_is_left_to_it(tmp_path: Path, packed: bytes) -> None:
    (tmp_path / ".0011223344556677.bbbb.part").write_bytes(packed[:10])
    assert receive(tmp_path, "begin", "0011223344556677") == "0"


def test_what_arrived_damaged_is_removed(tmp_path: Path, packed: bytes) -> None:
    receive(tmp_path, "begin", "0011223344556677")
    receive(tmp_path, "append", input=b"x" + packed[1:])
    assert receive(tmp_path, "unpack", hashlib.sha256(packed).hexdigest(), ".x.new") == "damaged"
    assert not (tmp_path / PART).exists()


def test_old_environments_go_but_for_the_newest_those_used_lately_and_those_that_run(tmp_path: Path) -> None:
    now = time.time()
    for days, name in enumerate(("a0", "a1", "a8", "a9", "b9", "c9")):
        (tmp_path / name / "bin").mkdir(parents=True)
        os.utime(tmp_path / name, (now - 86400 * (days if days < 2 else days + 6),) * 2)
    (tmp_path / ".a0.dead.part").touch()
    os.utime(tmp_path / ".a0.dead.part", (now - 86400 * 30,) * 2)
    (tmp_path / ".id").write_text("mark")
    os.utime(tmp_path / ".id", (now - 86400 * 30,) * 2)
    (tmp_path / "b9/bin/python").symlink_to(sys.executable)
    os.utime(tmp_path / "b9", (now - 86400 * 10,) * 2)
    program = [tmp_path / "b9/bin/python", "-c", "print(flush=True); input()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None and running.stdout.readline() == b"\n"
        removed = settle.remove_old(tmp_path, "a0")
        running.communicate(b"\n")
    assert sorted(removed) == ["a8", "a9", "c9"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [".id", "a0", "a1", "b9"]
