"""A tree is what it holds; what would not survive the way is refused by name."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from launcher.errors import SpecError
from launcher.hosts.code import tree
from launcher.hosts.code.tree import Link, Tree, read_tree


def read(root: Path) -> Tree:
    return read_tree(root, pytest.fail)


def test_a_tree_is_named_by_its_content_wherever_it_lies(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub/a.py").write_text("a")
    first, second = read(tmp_path / "one"), read(tmp_path / "two")
    assert first.digest == second.digest
    for change in (
        lambda: (tmp_path / "two/sub/a.py").chmod(0o755),
        lambda: (tmp_path / "two/sub/a.py").write_text("b"),
        lambda: (tmp_path / "two/empty").mkdir(),
        lambda: (tmp_path / "two/link").symlink_to("sub"),
    ):
        before = read(tmp_path / "two").digest
        change()
        assert read(tmp_path / "two").digest != before


def test_links_within_and_links_to_what_hosts_have_are_kept_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/up").symlink_to("../a.py")
    (tmp_path / "data").symlink_to("/data/imagenet")
    (tmp_path / "gone").symlink_to("nothing")
    assert read(tmp_path).links == (Link("data", "/data/imagenet"), Link("gone", "nothing"), Link("sub/up", "../a.py"))


@pytest.mark.parametrize("target", ["../beside", "sub/../../beside", "{root}/a.py", "{root}"])
def test_a_link_that_would_break_is_refused_by_name(tmp_path: Path, target: str) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root/link").symlink_to(target.format(root=tmp_path / "root"))
    with pytest.raises(SpecError, match=r"link -> .*\n.*\n.*\.npulaunchignore"):
        read(tmp_path / "root")
    (tmp_path / "root/.npulaunchignore").write_text("/link\n")
    assert read(tmp_path / "root").links == ()


def test_what_is_no_file_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        assert read(tmp_path).files == ()


def test_odd_names_are_names(tmp_path: Path) -> None:
    names = {b"new\nline", b"caf\xe9", b"a'; echo foo", b" ", b"-rf"}
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("")
    assert {os.fsencode(file.path) for file in read(tmp_path).files} == names


def test_a_tree_that_is_too_large_names_its_largest_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("code/a.py", "data/x/1", "data/y/2", "single"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        with (tmp_path / name).open("wb") as file:
            file.truncate(2 << 20 if name.startswith("data") else 1 << 20)
    told: list[str] = []
    monkeypatch.setattr(tree, "MUCH", 3 << 20)
    read_tree(tmp_path, told.append)
    assert "6 MiB of code: data/ 4 MiB, " in told[0]
    monkeypatch.setattr(tree, "MOST_BYTES", 5 << 20)
    with pytest.raises(SpecError, match=r"6 MiB in 4 files \(data/ 4 MiB, "):
        read_tree(tmp_path, told.append)
    monkeypatch.setattr(tree, "MOST_FILES", 3)
    with pytest.raises(SpecError, match="more than 3 files"):
        read_tree(tmp_path, told.append)


def test_what_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secret").write_text("")
    (tmp_path / "fine").write_text("")

    def refuse(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "secret":
            raise PermissionError(13, "Permission denied")
        return opened(path, *arguments, **options)

    opened = Path.open
    monkeypatch.setattr(Path, "open", refuse)  # root may read everything
    with pytest.raises(SpecError, match="cannot be read: secret\n"):
        read(tmp_path)


def test_a_folder_of_ours_within_the_tree_stays_behind(tmp_path: Path) -> None:
    (tmp_path / ".npu-launch/runs").mkdir(parents=True)
    (tmp_path / "a.py").write_text("")
    found = read_tree(tmp_path, pytest.fail, [tmp_path / ".npu-launch"])
    assert (found.folders, [file.path for file in found.files]) == ((), ["a.py"])
