"""Before ranks start on this machine it is looked at, and what could only fail later is refused."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from launcher.errors import ExitCode, InfrastructureError, NpuLaunchError, PlanError, PreflightError, SpecError
from launcher.hosts import check_hosts
from launcher.hosts.preflight.finding import Severity
from launcher.hosts.preflight.grouping import Group
from launcher.specs import Cluster, Device, Framework, FrozenMap, Host, Recipe
from launcher.specs.choices import Preflight
from tests.conftest import SmallDisk
from tests.site import Process, SimulatedHost, Site


def recipe(folder: Path, **fields: object) -> Recipe:
    script = folder / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    values = {"name": "r", "framework": Framework.PLAIN, "ranks": 2, "script": str(script), **fields}
    return Recipe(**values)  # type: ignore[arg-type]


def cpu(slots: int = 2) -> Cluster:
    return Cluster(name="c", soc="CPU", hosts=(Host(name="here", address="127.0.0.1", devices=slots),))


def npus(devices: int = 8) -> Cluster:
    ids = tuple(Device(id=number) for number in range(devices))
    return Cluster(name="c", soc="Ascend910B3", hosts=(Host(name="here", address="127.0.0.1", devices=ids),))


@pytest.fixture(autouse=True)
def roomy_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """This machine, with eight NPUs."""
    (host,) = Site(tmp_path / "site", 1, "910B3").hosts
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)
    return host


def refused(job: Recipe, of: Cluster, preflight: Preflight | None = None) -> NpuLaunchError:
    with pytest.raises(NpuLaunchError) as raised:
        check_hosts(job, of, preflight)
    return raised.value


def worth_a_word(groups: tuple[Group, ...]) -> list[str]:
    return [group.seen for group in groups if group.severity is Severity.WARN]


@pytest.mark.parametrize("preflight", [None, Preflight.FULL])
def test_a_cpu_is_looked_at_without_a_process_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, preflight: Preflight | None
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(subprocess.Popen, "__init__", refuse)
    job = recipe(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    check_hosts(job, cpu(), preflight)
    assert sorted(tmp_path.rglob("*")) == before


def test_data_that_is_not_there_is_refused(tmp_path: Path) -> None:
    error = refused(recipe(tmp_path, data=(str(tmp_path / "imagenet"),)), cpu())
    assert isinstance(error, PreflightError)
    assert "imagenet is not there" in str(error)


def test_a_full_disk_is_refused(tmp_path: Path, small_disk: SmallDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    small_disk.fill()
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(small_disk.path / "home"))
    error = refused(recipe(tmp_path), cpu())
    assert isinstance(error, InfrastructureError)
    assert "No space left" in str(error)


def test_a_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} is taken" in str(refused(recipe(tmp_path, scheduler_port=port), cpu()))
    check_hosts(recipe(tmp_path, scheduler_port=port), cpu())


def test_more_ranks_than_slots_are_the_plans_to_refuse(tmp_path: Path) -> None:
    assert isinstance(refused(recipe(tmp_path, ranks=3), cpu()), PlanError)


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed here")
def test_a_framework_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    error = refused(recipe(tmp_path, framework=Framework.PYTORCH), cpu())
    assert error.exit_code is ExitCode.PREFLIGHT_REFUSED
    assert "pip install torch" in str(error)


def test_a_framework_may_be_in_another_python_or_on_the_recipes_pythonpath(tmp_path: Path) -> None:
    check_hosts(recipe(tmp_path, framework=Framework.PYTORCH, env=FrozenMap({"PYTHONPATH": "/opt/torch"})), cpu())
    (host,) = cpu().hosts
    elsewhere = cpu().model_copy(update={"hosts": (host.model_copy(update={"python": sys.executable}),)})
    check_hosts(recipe(tmp_path, framework=Framework.PYTORCH), elsewhere)


def test_off_looks_at_the_script_alone_and_says_so(tmp_path: Path) -> None:
    (group,) = check_hosts(recipe(tmp_path, data=("/no/such/data",)), cpu(), Preflight.OFF)
    assert "preflight is off" in group.seen
    assert worth_a_word(check_hosts(recipe(tmp_path, preflight=Preflight.OFF), npus())) == [group.seen]
    with pytest.raises(SpecError):
        check_hosts(recipe(tmp_path, script=str(tmp_path / "gone")), cpu(), Preflight.OFF)


@pytest.mark.parametrize("preflight", [None, Preflight.FULL])
def test_sound_npus_may_be_used(machine: SimulatedHost, tmp_path: Path, preflight: Preflight | None) -> None:
    assert worth_a_word(check_hosts(recipe(tmp_path, ranks=8), npus(), preflight)) == []


def test_another_process_on_a_device_is_refused_and_one_beside_the_job_is_not(
    machine: SimulatedHost, tmp_path: Path
) -> None:
    machine.device(7).processes = (Process(pid=2**22 + 7, name="python3", memory=50000),)
    error = refused(recipe(tmp_path, ranks=8), npus())
    assert isinstance(error, PreflightError)
    assert f"pid {2**22 + 7} (python3, 50000 MB)" in str(error)
    assert "here device 7 (rank 7)" in str(error)
    (word,) = worth_a_word(check_hosts(recipe(tmp_path, ranks=7), npus()))
    assert "no rank of this job is there" in word


def test_devices_that_other_runs_have_are_passed_over(machine: SimulatedHost, tmp_path: Path) -> None:
    machine.device(1).health = "Critical"
    taken = frozenset((("here", 0),))
    check_hosts(recipe(tmp_path, ranks=1), npus())
    assert "device 1 (rank 0)" in str(refused_beside(recipe(tmp_path, ranks=1), taken))


def refused_beside(job: Recipe, taken: frozenset[tuple[str, int | None]]) -> NpuLaunchError:
    with pytest.raises(NpuLaunchError) as raised:
        check_hosts(job, npus(), unavailable=taken)
    return raised.value


def test_what_only_a_full_look_shows(machine: SimulatedHost, tmp_path: Path) -> None:
    machine.answer("hccn_tool -i 3 -link -g", "link status: ?")
    assert worth_a_word(check_hosts(recipe(tmp_path, ranks=8), npus())) == []
    (word,) = worth_a_word(check_hosts(recipe(tmp_path, ranks=8), npus(), Preflight.FULL))
    assert "hccn_tool -i 3 -link -g" in word


def test_a_python3_that_does_not_work_is_passed_over_for_another(machine: SimulatedHost, tmp_path: Path) -> None:
    machine.state.absent = ("python3",)
    assert worth_a_word(check_hosts(recipe(tmp_path, ranks=8), npus())) == []
