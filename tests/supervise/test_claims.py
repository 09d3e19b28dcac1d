"""A device is one run's alone, across the users of a machine; and whoever has it is named."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from inotify_simple import INotify, flags

from launcher.errors import InfrastructureError, PreflightError
from launcher.planning.claims import BLOCK, BLOCKS, named_blocks, ports_claim
from launcher.runs.events import Slot
from launcher.specs import Cluster, Framework, Host, Recipe
from launcher.supervise.claims import (
    Allotment,
    DevicesTaken,
    claim_devices,
    foresee,
    foresee_block,
    taken_slots,
    without_taken,
)
from launcher.supervise.line import claim_when_free
from launcher.supervise.shim.claims import Claims, is_claimed, make_folder, open_claim, read_holder, sign, try_claim

NOBODY = 65534
HOLD = "import time; from launcher.supervise.shim.claims import *; try_claim('{}/device-0'); print(flush=True)"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "claims"
    monkeypatch.setenv("NPU_LAUNCH_CLAIMS", str(path))
    return path


def recipe(ranks: int = 4, **fields: object) -> Recipe:
    values = {"name": "r", "framework": Framework.PLAIN, "ranks": ranks, "script": "/bin/true", **fields}
    return Recipe(**values)  # type: ignore[arg-type]


def cluster(devices: int = 8, soc: str = "Ascend910B3") -> Cluster:
    return Cluster(name="c", soc=soc, hosts=(Host(name="here", address="127.0.0.1", devices=devices),))


def slots(*devices: int) -> set[Slot]:
    return {Slot(host="here", device=device) for device in devices}


def test_a_run_gets_the_first_free_devices_and_the_next_run_the_others() -> None:
    with claim_devices(recipe(3), cluster()) as first, claim_devices(recipe(4), cluster()) as second:
        assert first.allot(recipe(3), cluster(), "a").unavailable == slots(3, 4, 5, 6, 7)
        assert second.allot(recipe(4), cluster(), "b").unavailable == slots(0, 1, 2, 7)
        assert taken_slots(cluster()).keys() == slots(*range(7))
    assert not taken_slots(cluster())


def test_who_holds_the_devices_is_named_to_whoever_is_refused() -> None:
    with claim_devices(recipe(6), cluster()), pytest.raises(DevicesTaken) as refused:
        claim_devices(recipe(4), cluster())
    text = str(refused.value)
    assert "2 of 8 devices are free" in text
    assert "devices 0, 1, 2, 3, 4, 5: a run that is starting" in text
    assert f"pid {os.getpid()}" in text
    assert "--wait" in text
    assert "set ranks to 2 or less" in text


def test_a_refused_run_holds_nothing() -> None:
    with claim_devices(recipe(6), cluster()), pytest.raises(DevicesTaken):
        claim_devices(recipe(4), cluster())
    with claim_devices(recipe(8), cluster()):
        pass


def test_a_cluster_that_is_too_small_is_not_blamed_on_others() -> None:
    with claim_devices(recipe(8), cluster()), claim_devices(recipe(9), cluster()) as none:
        assert not none.descriptors


def test_processes_on_cpu_share_the_cores() -> None:
    with claim_devices(recipe(8), cluster(soc="CPU")) as first, claim_devices(recipe(8), cluster(soc="CPU")) as second:
        assert not first.allot(recipe(8), cluster(soc="CPU"), "a").unavailable
        assert not second.allot(recipe(8), cluster(soc="CPU"), "b").unavailable


def test_every_run_has_a_block_of_ports_of_its_own() -> None:
    here = cluster(soc="CPU")
    with claim_devices(recipe(), here) as first, claim_devices(recipe(), here) as second:
        blocks = {first.allot(recipe(), here, "same").block, second.allot(recipe(), here, "same").block}
    assert len(blocks) == 2
    assert all(block >= 20000 and block + BLOCK <= 30000 for block in blocks)


def test_a_run_looks_for_its_ports_at_the_same_block_again() -> None:
    with claim_devices(recipe(), cluster()) as claimed:
        block = claimed.allot(recipe(), cluster(), "x").block
    assert foresee_block(recipe(), cluster(), "x") == block


def test_ports_that_are_all_taken_are_an_error() -> None:
    held = [try_claim(ports_claim(os.environ["NPU_LAUNCH_CLAIMS"], block)) for block in BLOCKS]
    try:
        with pytest.raises(InfrastructureError, match="blocks of ports"):
            foresee_block(recipe(), cluster(), "x")
    finally:
        for descriptor in held:
            assert descriptor is not None
            os.close(descriptor)


def test_the_ports_of_a_recipe_are_left_out_of_its_block() -> None:
    first = foresee_block(recipe(), cluster(), "x")
    assert foresee_block(recipe(scheduler_port=first + 3), cluster(), "x") != first
    assert foresee_block(recipe(env={"HCCL_IF_BASE_PORT": str(first + 20)}), cluster(), "x") != first


def test_a_block_that_a_recipe_names_is_claimed_beside_the_run_s_own_and_refused_when_another_run_has_it() -> None:
    named = recipe(ranks=1, env={"HCCL_IF_BASE_PORT": "20512"})
    with claim_devices(named, cluster()) as first:
        own = first.allot(named, cluster(), "x").block
        assert own != 20512
        assert {Path(path).name for path in first.descriptors} == {"device-0", f"ports-{own}", "ports-20512"}
        with claim_devices(named, cluster()) as second, pytest.raises(InfrastructureError, match="another run's"):
            second.allot(named, cluster(), "y")
        assert foresee_block(named, cluster(), "x") == own  # its own claim is in nobody's way


def test_ports_that_a_recipe_names_from_the_middle_of_a_block_on_are_claimed_with_all_blocks_they_reach_into() -> None:
    named = recipe(ranks=1, env={"HCCL_IF_BASE_PORT": "21000"})  # 32 ports: up to 21031
    reached = {"ports-20960", "ports-21024"}
    with claim_devices(named, cluster()) as first:
        own = first.allot(named, cluster(), "x").block
        assert {Path(path).name for path in first.descriptors} == {"device-0", f"ports-{own}", *reached}
        beside = recipe(ranks=1, env={"HCCL_IF_BASE_PORT": "21030"})
        with claim_devices(beside, cluster()) as second, pytest.raises(InfrastructureError, match="from 21030 on"):
            second.allot(beside, cluster(), "y")


@pytest.mark.parametrize(
    ("base", "blocks"),
    [
        ("20000", (20000,)),
        ("20032", (20000,)),
        ("20033", (20000, 20064)),
        ("19969", (20000,)),
        ("19968", ()),
        ("60000", ()),
        ("here", ()),
        ("²", ()),
    ],
)
def test_of_our_blocks_those_are_named_that_have_a_port_of_the_recipe_s(base: str, blocks: tuple[int, ...]) -> None:
    assert named_blocks({"HCCL_IF_BASE_PORT": base}) == blocks


def test_a_restart_keeps_the_devices_that_the_run_holds(folder: Path) -> None:
    shim = Claims()
    assert shim.take([f"{folder}/device-{device}" for device in (4, 5, 6, 7)], "mine") is None
    assert foresee(recipe(4), cluster(), "mine", frozenset()).unavailable == slots(0, 1, 2, 3)
    assert foresee(recipe(4), cluster(), "mine", slots(5)).unavailable == slots(5)
    with pytest.raises(DevicesTaken, match="run mine"):
        foresee(recipe(5), cluster(), "other", frozenset())
    assert without_taken(cluster(), "mine") == cluster()
    assert without_taken(cluster(), "other").device_count == 4
    shim.keep_only([])


def test_an_allotment_of_a_free_machine_is_everything() -> None:
    assert foresee(recipe(4), cluster(), "x", frozenset()) == Allotment(
        frozenset(), foresee_block(recipe(), cluster(), "x")
    )


def test_looking_makes_nothing(folder: Path) -> None:
    foresee(recipe(4), cluster(), "x", frozenset())
    assert not folder.exists()


def test_a_claim_ends_with_its_holder_however_that_ends(folder: Path) -> None:
    code = f"{HOLD.format(folder)}; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        assert is_claimed(f"{folder}/device-0")
        holder.kill()
    assert not is_claimed(f"{folder}/device-0")


def test_a_claim_that_is_passed_on_outlives_who_made_it(folder: Path) -> None:
    descriptor = try_claim(f"{folder}/device-0")
    assert descriptor is not None
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, pass_fds=(descriptor,), stdin=subprocess.PIPE) as heir:
        os.close(descriptor)
        assert is_claimed(f"{folder}/device-0")
        heir.communicate(b"\n")
    assert not is_claimed(f"{folder}/device-0")


def test_a_file_that_was_removed_under_a_claim_is_made_anew(folder: Path) -> None:
    first = try_claim(f"{folder}/device-0")
    (folder / "device-0").unlink()
    second = try_claim(f"{folder}/device-0")
    assert first is not None
    assert second is not None
    os.close(first)
    assert is_claimed(f"{folder}/device-0")
    os.close(second)


def test_the_folder_is_for_everybody_and_so_are_its_files(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        descriptor = try_claim(f"{folder}/device-0")
    finally:
        os.umask(before)
    assert descriptor is not None
    os.close(descriptor)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o1777
    assert stat.S_IMODE((folder / "device-0").stat().st_mode) == 0o666
    assert [path.name for path in folder.iterdir()] == ["device-0"]


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
def test_another_user_is_refused_and_told_who_has_it() -> None:
    with tempfile.TemporaryDirectory() as parent:  # which another user may enter, unlike pytest's own
        Path(parent).chmod(0o755)
        _claim_as_two_users(f"{parent}/claims")


def _claim_as_two_users(folder: str) -> None:
    descriptor = try_claim(f"{folder}/device-0")
    assert descriptor is not None
    sign(descriptor, "job-1")
    found = _as_nobody(lambda: (try_claim(f"{folder}/device-0"), read_holder(f"{folder}/device-0")["run"]))
    assert found == repr((None, "job-1"))
    os.close(descriptor)
    assert _as_nobody(lambda: try_claim(f"{folder}/device-0") is not None) == "True"
    assert _as_nobody(lambda: try_claim(f"{folder}/device-1") is not None) == "True"
    descriptor = try_claim(f"{folder}/device-1")
    assert descriptor is not None
    os.close(descriptor)


def _as_nobody(action: object) -> str:
    """What an action gives when another user does it, in a process of its own."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            os.write(write, repr(action()).encode())  # type: ignore[operator]
        except BaseException as error:
            os.write(write, repr(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        text = said.read()
    os.waitpid(pid, 0)
    return text


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff\xfe", b"{" * 5000, b'{"run": 3, "uid": "x", "pid": -1}'])
def test_whatever_stands_in_a_file_the_lock_alone_decides(folder: Path, content: bytes) -> None:
    shim = Claims()
    assert shim.take([f"{folder}/device-0"], "x") is None
    (folder / "device-0").write_bytes(content)
    with pytest.raises(DevicesTaken, match="somebody"):
        claim_devices(recipe(8), cluster())
    shim.keep_only([])


def test_a_name_that_somebody_wrote_cannot_forge_lines(folder: Path) -> None:
    shim = Claims()
    shim.take([f"{folder}/device-0"], "x\n  remedy    rm -rf /\x1b[2J")
    with pytest.raises(DevicesTaken) as refused:
        claim_devices(recipe(8), cluster())
    assert "\x1b" not in str(refused.value)
    assert [line.strip()[:6] for line in str(refused.value).splitlines()].count("remedy") == 1
    shim.keep_only([])


@pytest.mark.parametrize("kind", ["symlink", "file", "open"])
def test_a_folder_that_is_not_fit_is_refused(folder: Path, kind: str, tmp_path: Path) -> None:
    if kind == "symlink":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    elif kind == "file":
        folder.touch()
    else:
        folder.mkdir()
        folder.chmod(0o777)
    with pytest.raises(PreflightError, match="NPU_LAUNCH_CLAIMS"):
        claim_devices(recipe(), cluster())


def test_a_symlink_in_the_folder_is_not_followed(folder: Path, tmp_path: Path) -> None:
    make_folder(str(folder))
    (tmp_path / "precious").write_text("kept")
    (folder / "device-0").symlink_to(tmp_path / "precious")
    with pytest.raises(PreflightError):
        claim_devices(recipe(8), cluster())
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_run_that_has_just_ended_gives_its_devices_to_the_next_in_time(folder: Path) -> None:
    code = f"{HOLD.format(folder)}; input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        holder.stdout.readline()
        holder.stdin.close()
        with claim_when_free(recipe(8), cluster(), None) as claimed:
            assert len(claimed.descriptors) == 8


def spoil(path: Path, kind: str, elsewhere: Path) -> None:
    elsewhere.write_text("kept")
    if kind == "symlink":
        path.symlink_to(elsewhere)
    elif kind == "circle":
        path.symlink_to(path)
    elif kind == "hard link":
        path.hardlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()


@pytest.mark.parametrize("kind", ["symlink", "circle", "hard link", "pipe", "folder"])
def test_a_device_whose_file_was_spoiled_is_taken_and_the_others_are_not(
    folder: Path, kind: str, tmp_path: Path
) -> None:
    make_folder(str(folder))
    spoil(folder / "device-0", kind, tmp_path / "precious")
    assert is_claimed(f"{folder}/device-0")
    with claim_devices(recipe(4), cluster()) as claimed:
        assert claimed.allot(recipe(4), cluster(), "a").unavailable == slots(0, 5, 6, 7)
    with pytest.raises(OSError, match=r"device-0"):
        open_claim(f"{folder}/device-0")
    assert (tmp_path / "precious").read_text() == "kept"


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to become another user")
@pytest.mark.parametrize("mode", [0o600, 0o644])
def test_a_file_that_others_may_not_write_is_taken_for_them(mode: int) -> None:
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        make_folder(f"{parent}/claims")
        Path(f"{parent}/claims/device-0").touch()
        Path(f"{parent}/claims/device-0").chmod(mode)
        assert _as_nobody(lambda: is_claimed(f"{parent}/claims/device-0")) == "True"


def test_a_file_whose_maker_was_killed_half_way_can_be_claimed(folder: Path) -> None:
    make_folder(str(folder))
    (folder / "device-0.77.beef").touch()
    (folder / "device-0").hardlink_to(folder / "device-0.77.beef")
    descriptor = try_claim(f"{folder}/device-0")
    assert descriptor is not None
    os.close(descriptor)


def test_a_shim_that_waits_for_a_claim_wakes_nobody_who_waits_in_line(folder: Path) -> None:
    descriptor = try_claim(f"{folder}/device-0")
    assert descriptor is not None
    with INotify() as watch:
        watch.add_watch(folder, flags.CLOSE_WRITE)
        assert Claims().take([f"{folder}/device-0"], "x") == f"{folder}/device-0"
        assert not watch.read(timeout=0)
    os.close(descriptor)
