"""A rank that floods its log does not fill the disk, and goes on; people are told, once."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from launcher.logs.gaps import stored_bytes
from launcher.logs.packed import open_log
from launcher.supervise.shim.flood import _stored
from tests.supervise.test_shim import ShimProcess, exits
from tests.supervise.test_shim import shim as shim

MIB = 1 << 20
QUICK = (
    "import launcher.supervise.shim.flood as flood; flood._PERIOD = 0.02; main._GLANCE = 0.02; "
    "flood._LITTLE = {little}; flood._TRIMMER = {trimmer}"
)
FLOOD = "echo the first line; echo ERROR: the cause; yes nothing new | head -c 6000000"
UNTIL_TOLD = "until grep -q '{}' journal; do sleep 0.02; done"
UNTIL_FREED = "until [ $(stat -c %b attempt/$NAME/log) -lt 2048 ]; do sleep 0.02; done; echo the last line"


def flooded(shim: ShimProcess, script: str, *, little: int = 0, trimmer: str = "flood._TRIMMER") -> list[str]:
    """What people are told of a rank that may write 1 MiB."""
    plan = shim.plan(script)
    plan.write_text(json.dumps({**json.loads(plan.read_text()), "log_limit": MIB}))
    shim.start(plan, code=QUICK.format(little=little, trimmer=trimmer))
    events = shim.events()
    assert exits(events)["rank 0"]["code"] == 0
    return [event["text"] for event in events if event["type"] == "note"]


def test_the_middle_of_a_flood_is_freed_while_the_rank_goes_on(shim: ShimProcess) -> None:
    [note] = flooded(shim, f"{FLOOD}; {UNTIL_FREED}; {FLOOD}; {UNTIL_FREED}; {UNTIL_TOLD.format('log_limit')}")
    log = shim.folder / "attempt" / "rank0" / "log"
    assert note.startswith("rank 0 has written more than 1 MB (log_limit)")
    assert str(log) in note
    assert log.stat().st_size > 12_000_000
    assert stored_bytes(log.stat()) <= MIB
    with open_log(log) as file:
        lines = file.readlines()
    assert lines[:2] == [b"the first line\n", b"ERROR: the cause\n"]
    assert lines[-1] == b"the last line\n"
    assert any(b"npu-launch left out" in line for line in lines)


def test_the_oldest_of_what_cann_writes_is_freed(shim: ShimProcess) -> None:
    folder = shim.folder / "attempt" / "cann"
    files = " ".join(f"{folder}/debug/plog/plog-7_2026010100000{number}000.log" for number in range(4))
    write = f"mkdir -p {folder}/debug/plog; for file in {files}; do yes nothing new | head -c 400000 > $file; done"
    plan = shim.plan(f"{write}; {UNTIL_TOLD.format('log_limit')}")
    content = json.loads(plan.read_text())
    content["ranks"][0]["cann_log_dir"] = str(folder)
    plan.write_text(json.dumps({**content, "log_limit": MIB}))
    shim.start(plan, code=QUICK.format(little=0, trimmer="flood._TRIMMER"))
    [note] = [event["text"] for event in shim.events() if event["type"] == "note"]
    assert note == f"CANN of rank 0 has written more than 1 MB (log_limit): the oldest of {folder} is left out"
    first, *others = sorted((folder / "debug" / "plog").iterdir())
    assert first.read_text().startswith("[npu-launch left out 400000 bytes here")
    assert [other.stat().st_size for other in others[-1:]] == [400_000]


def test_where_it_cannot_be_freed_that_is_told_once(shim: ShimProcess, tmp_path: Path) -> None:
    unable = tmp_path / "unable.py"
    unable.write_text("import errno, sys; sys.exit(errno.EOPNOTSUPP)")
    [note] = flooded(shim, f"{FLOOD}; {UNTIL_TOLD.format('log_limit')}", trimmer=repr(str(unable)))
    assert "cannot be freed: Operation not supported; it may fill the disk" in note


def test_a_folder_of_which_nothing_can_be_freed_yet_is_looked_at_again(shim: ShimProcess) -> None:
    folder = shim.folder / "attempt" / "cann"
    write = "yes nothing new | head -c 1500000 > plog-7_2026010100000{}000.log"
    until_freed = "until grep -q 'left out' plog-7_20260101000000000.log; do sleep 0.02; done"
    plan = shim.plan(
        f"journal=$PWD/journal; mkdir -p {folder}; cd {folder}; {write.format(0)}; "
        f"{UNTIL_TOLD.format('cannot be freed').replace('journal', '$journal')}; {write.format(1)}; {until_freed}"
    )
    content = json.loads(plan.read_text())
    content["ranks"][0]["cann_log_dir"] = str(folder)
    plan.write_text(json.dumps({**content, "log_limit": MIB}))
    shim.start(plan, code=QUICK.format(little=0, trimmer="flood._TRIMMER") + "; flood._TURNS = 1")
    events = shim.events()
    assert exits(events)["rank 0"]["code"] == 0
    notes = [event["text"] for event in events if event["type"] == "note"]
    assert len([note for note in notes if "cannot be freed: what is left has to stay" in note]) == 1


def test_a_file_that_goes_meanwhile_does_not_hide_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").write_bytes(b"x" * MIB)
    (tmp_path / "gone").write_bytes(b"x")
    look = os.scandir

    @contextmanager
    def and_one_goes(path: str) -> Iterator[list[os.DirEntry[str]]]:
        with look(path) as entries:
            listed = list(entries)
        (tmp_path / "gone").unlink()
        yield listed

    monkeypatch.setattr(os, "scandir", and_one_goes)
    assert _stored(str(tmp_path), in_folder=True) >= MIB


def test_a_disk_that_is_nearly_full_is_told(shim: ShimProcess) -> None:
    [note] = flooded(shim, UNTIL_TOLD.format("logs may be lost"), little=1 << 62)
    assert " are left on the disk of" in note
