"""Preflight on whole sites: what is wrong on one of many hosts is found there, and a run does not start on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.hosts.preflight.asking import BUDGET, ask
from launcher.hosts.preflight.checks import Verdict, inspect
from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.grouping import grouped
from launcher.hosts.report import HostReport
from launcher.runs.store import all_runs
from launcher.specs import Framework, Recipe
from launcher.specs.choices import Preflight
from tests.end_to_end import latest, npu_launch, write_recipe
from tests.site import Process, SimulatedHost, Site

MB, GB = 1 << 20, 1 << 30


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Two hosts with eight NPUs each, all well."""
    return Site(tmp_path / "site", hosts=2)


def check(site: Site, recipe: Recipe | None = None, preflight: Preflight = Preflight.FULL) -> Verdict:
    cluster = site.cluster()
    return inspect(cluster, ask(cluster, recipe, preflight, site.reach), recipe)


def refusal(site: Site, recipe: Recipe | None = None) -> Finding:
    """The one thing that refuses a run."""
    (found,) = [f for f in check(site, recipe).findings if f.severity is Severity.REFUSE]
    return found


def job(folder: Path, ranks: int = 16, **fields: object) -> Recipe:
    script = folder / "run.sh"
    script.write_text("#!/bin/sh\n")
    values = {"name": "job", "framework": Framework.PLAIN, "ranks": ranks, "script": str(script), **fields}
    return Recipe(**values)  # type: ignore[arg-type]


def test_a_sound_site_has_nothing_to_tell(site: Site, tmp_path: Path) -> None:
    assert check(site).findings == ()
    assert not check(site, job(tmp_path)).refuses


def test_a_device_that_is_not_well(site: Site) -> None:
    with site.host("node-002").changing():
        site.host("node-002").device(5).health = "Alarm"
        site.host("node-002").device(5).error_codes = ("8C084E00",)
    found = refusal(site)
    assert (found.check, found.host, found.device) == (Check.DEVICES, "node-002", 5)
    assert "8C084E00" in found.seen


def test_a_link_that_is_down(site: Site) -> None:
    site.host("node-002").device(1).link = "DOWN"
    found = refusal(site)
    assert (found.check, found.host, found.device) == (Check.NETWORK, "node-002", 1)
    assert found.command.startswith("hccn_tool -i 1 -link_stat -g")


def test_tls_that_is_on_for_one_host(site: Site) -> None:
    host = site.host("node-002")
    with host.changing():
        for device in host.state.devices:
            device.tls = True
    (group,) = grouped(check(site).findings, {})
    assert group.where == "node-002 devices 0-7"
    assert group.remedy == "hccn_tool -i N -tls -s enable 0"


def test_an_address_that_is_not_the_specs(site: Site) -> None:
    cluster = site.cluster()
    site.host("node-001").device(4).ip = "192.168.99.4"
    found = inspect(cluster, ask(cluster, None, Preflight.FAST, site.reach)).findings
    (wrong,) = [f for f in found if f.severity is Severity.REFUSE]
    assert "192.168.99.4" in wrong.seen
    assert "EI0014" in wrong.expected


def test_a_process_of_somebody_else(site: Site) -> None:
    site.host("node-002").device(6).processes = (Process(pid=4242, name="python3", memory=50000, in_proc=False),)
    found = refusal(site)
    assert (found.host, found.device) == ("node-002", 6)
    assert "pid 4242 (python3, 50000 MB)" in found.seen


def test_memory_that_is_held_by_nobody_who_is_seen(site: Site, tmp_path: Path) -> None:
    site.host("node-001").device(2).hbm_used = 40000
    assert [f.severity for f in check(site).findings] == [Severity.WARN]
    found = refusal(site, job(tmp_path, memory=30 * GB))
    assert found.check is Check.MEMORY
    assert "40000 of 65536 MB" in found.seen


def test_a_port_that_is_taken_on_the_first_host(site: Site, tmp_path: Path) -> None:
    site.host("node-001").state.listening = (8118, 60003)
    found = check(site, job(tmp_path, scheduler_port=8118)).findings
    assert [(f.severity, f.host, f.seen) for f in found if f.check is Check.PORTS] == [
        (Severity.REFUSE, "node-001", "port 8118 is taken"),
        (Severity.WARN, "node-001", "port 60003 is taken"),
    ]


def test_a_clock_that_is_ahead(site: Site) -> None:
    site.host("node-002").state.clock_offset = 7.0
    (found,) = check(site).findings
    assert (found.check, found.host, found.severity) == (Check.CLOCKS, "node-002", Severity.WARN)
    assert "7.0 s ahead" in found.seen


def test_data_that_one_host_does_not_have(site: Site, tmp_path: Path) -> None:
    data = tmp_path / "imagenet"
    data.mkdir()
    assert not check(site, job(tmp_path, data=(str(data),))).refuses
    site.host("node-002").state.missing = (str(data),)
    found = refusal(site, job(tmp_path, data=(str(data),)))
    assert (found.check, found.host) == (Check.PATHS, "node-002")
    assert str(data) in found.seen


def test_a_disk_that_is_full(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPU_LAUNCH_HOME", str(tmp_path / "home"))
    site.host("node-002").state.disk_free = {str(tmp_path / "home"): 0, "/dev/shm": 64 * MB}
    found = [(f.host, f.severity) for f in check(site).findings if f.check is Check.SPACE]
    assert found == [("node-002", Severity.REFUSE), ("node-002", Severity.WARN)]


def test_a_host_that_hangs_and_one_that_cannot_be_reached_are_told_beside_the_others(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", hosts=3, devices=1)
    site.host("node-001").state.reach = "hangs"
    site.host("node-002").state.reach = "unreachable"
    site.host("node-003").device(0).health = "Alarm"
    cluster = site.cluster()
    found = inspect(cluster, ask(cluster, None, Preflight.FAST, site.reach, budget=6.0)).findings
    assert [(f.check, f.host) for f in found if f.severity is Severity.REFUSE] == [
        (Check.REACH, "node-001"),
        (Check.REACH, "node-002"),
        (Check.DEVICES, "node-003"),
    ]


def test_64_hosts_are_asked_within_the_budget_and_the_odd_one_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path / "site", hosts=64, devices=2)
    site.host("node-037").state.driver = "24.1.rc1"
    cluster = site.cluster()
    answers = ask(cluster, None, Preflight.FULL, site.reach, 6 * BUDGET)  # others use the machine too
    assert all(isinstance(answer, HostReport) for answer in answers.values())  # a late one would be an error
    (found,) = [f for f in inspect(cluster, answers).findings if f.severity is Severity.REFUSE]
    assert (found.check, found.host, found.seen) == (Check.VERSIONS, "node-037", "driver is 24.1.rc1")
    assert "as on 63 of 64 hosts" in found.expected


@pytest.fixture
def machine(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> SimulatedHost:
    """This machine, with eight NPUs."""
    (host,) = Site(tmp_path / "machine").hosts
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)
    return host


def on_npus(folder: Path, script: str = "true", **fields: object) -> Path:
    hosts = [{"name": "here", "address": "127.0.0.1", "devices": 8}]
    (folder / "cluster.yaml").write_text(json.dumps({"name": "c", "soc": "Ascend910B3", "hosts": hosts}))
    return write_recipe(folder, script, **{"ranks": 8, "cluster": "cluster.yaml", **fields})  # type: ignore[arg-type]


def test_a_run_that_is_refused_leaves_no_run_behind(machine: SimulatedHost, tmp_path: Path) -> None:
    machine.device(3).health = "Alarm"
    done = npu_launch(on_npus(tmp_path))
    assert done.code == ExitCode.PREFLIGHT_REFUSED
    assert "here device 3 (rank 3): health is Alarm" in done.err
    assert all_runs() == []


def test_a_run_may_be_started_without_preflight_which_says_so(machine: SimulatedHost, tmp_path: Path) -> None:
    machine.device(3).health = "Alarm"
    done = npu_launch(on_npus(tmp_path), "--preflight", "off")
    assert done.code == ExitCode.OK, done.err
    assert "npu-launch: warning: preflight is off" in done.err


def test_a_warning_is_one_line_on_stderr_and_the_run_starts(machine: SimulatedHost, tmp_path: Path) -> None:
    machine.device(3).health = "Warning"
    done = npu_launch(on_npus(tmp_path))
    assert done.code == ExitCode.OK
    (line,) = [line for line in done.err.splitlines() if "health is Warning" in line]
    assert line.startswith("npu-launch: warning: here device 3 (rank 3): ")
    assert "npu-smi info -t health -i 3 -c 0" in line


def test_a_rerun_is_looked_at_too(machine: SimulatedHost, tmp_path: Path) -> None:
    assert npu_launch(on_npus(tmp_path, "exit 3")).code == ExitCode.JOB_FAILED
    machine.device(3).health = "Alarm"
    done = npu_launch("rerun")
    assert done.code == ExitCode.PREFLIGHT_REFUSED
    assert "device 3 (rank 3): health is Alarm" in done.err
    assert len(latest().state().attempts) == 1
    assert npu_launch("rerun", "--preflight", "off").code == ExitCode.JOB_FAILED


def test_devices_of_another_run_do_not_stand_in_the_way(machine: SimulatedHost, tmp_path: Path) -> None:
    started = npu_launch("run", "-d", on_npus(tmp_path, "exec sleep 60", ranks=4))
    assert started.code == ExitCode.OK, started.err
    machine.device(0).health = "Alarm"  # which is the other run's
    machine.device(4).health = "Alarm"
    done = npu_launch(on_npus(tmp_path, ranks=4))
    assert done.code == ExitCode.PREFLIGHT_REFUSED
    assert done.err.startswith("npu-launch: error: here device 4 (rank 0)"), done.err
    assert npu_launch("stop", started.out.strip()).code == ExitCode.OK
