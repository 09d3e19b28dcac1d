"""The machines that tests of many hosts run on behave as machines do."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines import Machines, need_machines


@pytest.fixture(scope="module", autouse=True)
def _can_be_made() -> None:
    need_machines()


@pytest.fixture(scope="module")
def machines() -> Iterator[Machines]:
    with Machines("node-1", "node-2") as made:
        yield made


def test_a_person_at_the_laptop_logs_in_to_every_machine_by_its_name(machines: Machines) -> None:
    for server in machines.servers:
        assert machines.laptop.run("ssh", "-o", "BatchMode=yes", server.name, "hostname").stdout == f"{server.name}\n"


def test_machines_reach_each_other_by_ipv6(machines: Machines) -> None:
    assert machines["node-1"].run("bash", "-c", f": < /dev/tcp/{machines['node-2'].address6}/22").returncode == 0


def test_the_tests_own_interpreter_runs_on_every_machine(machines: Machines) -> None:
    for machine in (machines.laptop, *machines.servers):
        assert machine.run(sys.executable, "-c", "import launcher; print('here')").stdout == "here\n"


def test_what_a_machine_writes_is_its_own(machines: Machines) -> None:
    machines["node-1"].run("sh", "-c", "echo here > /opt/mark")
    assert machines["node-1"].path("/opt/mark").read_text() == "here\n"
    assert not machines["node-2"].path("/opt/mark").exists()
    assert not Path("/opt/mark").exists()


def test_a_machine_that_is_cut_off_goes_on_and_is_reached_again_when_it_is_healed(machines: Machines) -> None:
    node, laptop = machines["node-1"], machines.laptop
    probe = ("bash", "-c", f": < /dev/tcp/{node.address}/22")
    node.cut()
    assert laptop.run("timeout", "0.5", *probe).returncode != 0
    assert node.run("hostname").stdout == "node-1\n"
    node.heal()
    assert laptop.run("timeout", "5", *probe).returncode == 0
    assert laptop.run("timeout", "5", "bash", "-c", f": < /dev/tcp/{node.address6}/22").returncode == 0


def test_power_off_ends_every_process_and_a_booted_machine_starts_anew(machines: Machines) -> None:
    node = machines["node-2"]
    node.run("sh", "-c", "setsid --fork sleep 500 > /dev/null 2>&1; echo gone > /opt/mark")
    left = node.processes()
    assert len(left) == 1
    node.power_off()
    assert not any(process.is_running() for process in left)
    node.boot()
    assert not node.path("/opt/mark").exists()
    assert node.processes() == []
    assert machines.laptop.run("ssh", "-o", "BatchMode=yes", "node-2", "hostname").stdout == "node-2\n"


def test_what_goes_over_a_long_cable_takes_its_time_and_arrives() -> None:
    with Machines("far") as machines:
        machines.lengthen("far", delay=0.05, loss=0.02)
        began = time.monotonic()
        assert machines.laptop.run("ssh", "far", "true").returncode == 0
        assert time.monotonic() - began > 0.4  # ssh takes more than four round trips to say hello
        sent = machines.laptop.run("sh", "-c", "head -c 2000000 /dev/zero | ssh far 'wc -c'")
        assert sent.stdout.strip() == "2000000"
