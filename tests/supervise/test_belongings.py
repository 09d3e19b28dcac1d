"""What ranks read comes to hosts that do not have it, whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from launcher.errors import InfrastructureError
from launcher.supervise.belongings import Belongings, Part, finish, missing_parts, parts_of, write_piece
from launcher.supervise.link import HostLink

Result = TypeVar("Result")


class Elsewhere:
    """A host whose files lie below another folder: what is called there has its path moved."""

    is_home = False

    def __init__(self, here: Path, there: Path) -> None:
        self.here, self.root = here, there
        self.calls = 0

    async def there(self, work: Callable[..., Result], path: str, *arguments: object) -> Result:
        self.calls += 1
        return work(str(self.root / Path(path).relative_to(self.here)), *arguments)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"{name} is not needed")


@pytest.fixture
def link(tmp_path: Path) -> Elsewhere:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    return Elsewhere(tmp_path / "here", tmp_path / "there")


def brought(link: Elsewhere, name: str) -> int:
    async def bring() -> int:
        return await Belongings().bring(cast("HostLink", link), str(link.here / name), attempt=1)

    return asyncio.run(bring())


def test_a_file_of_many_pieces_comes_whole_and_only_once(link: Elsewhere) -> None:
    content = bytes(range(256)) * 40_000  # ten megabytes
    (link.here / "step-8.ckpt").write_bytes(content)
    assert brought(link, "step-8.ckpt") == len(content)
    assert (link.root / "step-8.ckpt").read_bytes() == content
    assert [path.name for path in link.root.iterdir()] == ["step-8.ckpt"]
    link.calls = 0
    assert brought(link, "step-8.ckpt") == 0
    assert link.calls == 1  # it is asked what is missing, and nothing is


def test_of_a_folder_only_what_differs_comes(link: Elsewhere) -> None:
    for name, text in (("meta", "8"), ("shards/0", "zero"), ("shards/1", "one"), ("empty", "")):
        (link.here / "step-8" / name).parent.mkdir(parents=True, exist_ok=True)
        (link.here / "step-8" / name).write_text(text)
    assert brought(link, "step-8") == len("8zeroone")
    (link.root / "step-8/shards/1").write_text("two")
    assert brought(link, "step-8") == len("one")
    assert parts_of(str(link.root / "step-8")) == parts_of(str(link.here / "step-8"))


def test_programs_stay_programs_and_links_stay_links(link: Elsewhere) -> None:
    code = link.here / "code"
    (code / "lib").mkdir(parents=True)
    (code / "run.sh").write_text("#!/bin/sh\n")
    (code / "run.sh").chmod(0o755)
    (code / "lib/there").write_text("x")
    (code / "folder").symlink_to("lib")
    (code / "run").symlink_to("run.sh")
    brought(link, "code")
    assert (link.root / "code/run").stat().st_mode & 0o777 == 0o755
    assert (link.root / "code/folder").readlink() == Path("lib")
    assert (link.root / "code/folder/there").read_text() == "x"
    (link.root / "code/run.sh").chmod(0o644)
    brought(link, "code")
    assert (link.root / "code/run.sh").stat().st_mode & 0o777 == 0o755


def test_what_has_changed_since_the_attempt_before_comes_again(link: Elsewhere) -> None:
    async def bring_twice() -> int:
        belongings, path = Belongings(), link.here / "latest"
        path.write_text("step 8")
        await belongings.bring(cast("HostLink", link), str(path), attempt=1)
        path.write_text("step 16")
        return await belongings.bring(cast("HostLink", link), str(path), attempt=2)

    assert asyncio.run(bring_twice()) == len("step 16")
    assert (link.root / "latest").read_text() == "step 16"


def test_compiled_python_stays_where_it_was_compiled(link: Elsewhere) -> None:
    (link.here / "code/__pycache__").mkdir(parents=True)
    (link.here / "code/__pycache__/job.cpython-311.pyc").write_text("compiled")
    (link.here / "code/job.py").write_text("pass")
    assert brought(link, "code") == len("pass")
    assert not (link.root / "code/__pycache__").exists()


def test_what_is_not_at_home_either_is_nobodys_to_bring(link: Elsewhere) -> None:
    assert brought(link, "gone") == 0
    assert not (link.root / "gone").exists()


def test_what_a_killed_attempt_to_bring_it_left_is_overwritten(link: Elsewhere) -> None:
    (link.here / "step-8").write_text("checkpoint")
    (part,) = parts_of(str(link.here / "step-8"))
    write_piece(str(link.root / "step-8"), part, 0, b"something longer than a checkpoint")
    assert brought(link, "step-8") == len("checkpoint")
    assert (link.root / "step-8").read_text() == "checkpoint"


def test_one_that_changed_on_its_way_takes_no_place(tmp_path: Path) -> None:
    path = str(tmp_path / "step-8")
    part = Part("", 4, "0" * 64)
    write_piece(path, part, 0, b"torn")
    with pytest.raises(InfrastructureError, match="changed on its way"):
        finish(path, (part,))
    assert missing_parts(path, (part,)) == (part,)
    assert not Path(path).exists()


def test_a_name_that_leads_out_of_the_checkpoint_is_refused(tmp_path: Path) -> None:
    part = Part("../elsewhere", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    write_piece(str(tmp_path / "step-8"), part, 0, b"")
    with pytest.raises(InfrastructureError, match="no part of"):
        finish(str(tmp_path / "step-8"), (part,))
