"""A host's tools are asked once, right after the failure; one that hangs or is not there stands in nobody's way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from launcher.supervise.gather import snapshot as snapshots
from launcher.supervise.gather.outcome import Missing
from launcher.supervise.gather.snapshot import snapshot, snapshot_folder
from tests.site import SimulatedHost, Site


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """A host with NPUs, which this machine is taken for."""
    host = Site(tmp_path / "site").hosts[0]
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)
    return host


def take(run: Path, most: int = 1 << 20) -> tuple[Mapping[str, str], list[Missing]]:
    """The files of a snapshot of this machine, and what the Ascend tools could not tell."""
    missing = snapshot(run, 1, "node-1", most)
    folder = snapshot_folder(run, 1, "node-1")
    texts = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    return texts, [each for each in missing if "dmesg" not in each.what]  # not everybody may read the kernel's log


def install(host: SimulatedHost, name: str, script: str) -> None:
    (host.bin / name).write_text(f"#!/bin/sh\n{script}\n")
    (host.bin / name).chmod(0o755)


def test_health_links_and_versions_are_kept(tmp_path: Path, host: SimulatedHost) -> None:
    with host.changing():
        host.device(3).health, host.device(3).error_codes = "Alarm", ("8C084E00",)
        host.device(5).link = "DOWN"
    found, missing = take(tmp_path / "run")
    assert "8C084E00" in found["npu-smi-cards.txt"]
    assert "$ " in found["npu-smi.txt"]
    assert "| Alarm " in found["npu-smi.txt"]
    assert "hccn_tool -i 5 -link -g\nlink status: DOWN" in found["hccn_tool.txt"]
    assert f"Version={host.state.driver}" in found["files/usr/local/Ascend/driver/version.info"]
    assert "address_0=" in found["files/etc/hccn.conf"]
    assert not [each for each in missing if "-link -g" in each.what or "health" in each.what]


def test_the_first_snapshot_stays(tmp_path: Path, host: SimulatedHost) -> None:
    first, _ = take(tmp_path / "run")
    host.device(0).health = "Critical"
    assert take(tmp_path / "run") == (first, [])


def test_a_tool_that_hangs_is_ended(tmp_path: Path, host: SimulatedHost, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "TOOL_SECONDS", 0.5)
    host.answer("hccn_tool -i 3 -link -g", delay=600)
    began = time.monotonic()
    found, missing = take(tmp_path / "run")
    assert time.monotonic() - began < 60
    (hanging,) = [each for each in missing if each.what.endswith("hccn_tool -i 3 -link -g")]
    assert hanging.why == "it was ended after 0.5 s"
    assert "hccn_tool -i 4 -link -g\nlink status: UP" in found["hccn_tool.txt"]


def test_a_tool_that_is_not_installed_is_missing(tmp_path: Path, host: SimulatedHost) -> None:
    host.set(absent=("hccn_tool",))
    found, missing = take(tmp_path / "run")
    (one,) = [each for each in missing if each.what.endswith("hccn_tool -i 0 -link -g and 55 commands like it")]
    assert one.why in ("exit code 127", "No such file or directory")
    assert "npu-smi info" in found["npu-smi.txt"]


def test_a_host_without_npus_has_nothing_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "root").mkdir()
    monkeypatch.setenv("NPU_LAUNCH_ROOT", str(tmp_path / "root"))
    found, missing = take(tmp_path / "run")
    assert set(found) == {"dmesg.txt"}
    assert missing == []


def test_the_devices_own_logs_are_exported(tmp_path: Path, host: SimulatedHost) -> None:
    install(host, "msnpureport", "mkdir -p now/slog && echo 'a line' > now/slog/dev-os-0.log && echo done")
    found, missing = take(tmp_path / "run")
    assert found["msnpureport/now/slog/dev-os-0.log"] == "a line\n"
    assert found["msnpureport/said.txt"] == "done\n"
    assert not [each for each in missing if each.what == "msnpureport"]


def test_an_export_that_fills_the_disk_is_ended(tmp_path: Path, host: SimulatedHost) -> None:
    install(host, "msnpureport", "yes > much")
    _, missing = take(tmp_path / "run", most=100_000)
    (ended,) = [each for each in missing if each.what == "msnpureport"]
    assert ended.why == "it was ended when it had written more than 100000 bytes"
