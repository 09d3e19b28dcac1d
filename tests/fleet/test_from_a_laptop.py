"""What a person at a laptop has of runs on hosts: as Python objects, as plans, started again, and interrupted."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.runs.state import RunPhase
from tests.fleet.site import Site, document
from tests.machines import Machines

pytestmark = pytest.mark.timeout(300)

ROOT = Path(__file__).parents[2]
CLUSTER = "/root/job/cluster.yaml"
JOB = """
import os
print(f"rank {os.environ['RANK_ID']} on {os.uname().nodename}", flush=True)
"""
NOTEBOOK = """
import sys
from launcher import Run, launch
recipe, cluster = sys.argv[1:]
run = launch(recipe, cluster)
lines = sorted(run.logs(follow=True))
print(run.wait(60).phase.value, Run.find().state.phase.value, run.stop().phase.value)
print(lines == sorted(run.logs()), *lines, sep="\\n")
run.rerun(ranks=(3,))
print(run.wait(60).attempts[-1].ranks)
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Machines("node-1", "node-2") as machines:
        made = Site(machines, ["node-1", "node-2"])
        up = made.npu_launch("up", CLUSTER)
        assert up.code == ExitCode.OK, up.err
        yield made


@pytest.fixture
def ended(site: Site) -> str:
    """A run that has ended, at home on the first node."""
    done = site.npu_launch("run", site.recipe(JOB), "-c", CLUSTER)
    assert done.code == ExitCode.OK, done.err
    return str(document(site.npu_launch("status", "--json"))["run"])


def python(site: Site, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A Python program on the laptop."""
    variables = {"PYTHONPATH": str(ROOT)}
    return site.machines.laptop.run(sys.executable, "-c", program, *arguments, environment=variables, timeout=200)


def test_a_program_has_a_run_on_other_hosts_as_it_has_one_here(site: Site) -> None:
    done = python(site, NOTEBOOK, site.recipe(JOB), CLUSTER)
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.splitlines()
    assert first == "succeeded succeeded succeeded"
    assert lines[0] == "True"
    assert lines[1:5] == [f"({rank}, 'rank {rank} on node-{1 + rank // 2}')" for rank in range(4)]
    assert lines[5:] == ["(3,)"]


def test_a_run_on_other_hosts_is_not_started_as_one_on_this_machine(site: Site) -> None:
    program = """
import sys
from pathlib import Path
from launcher import load_cluster, load_recipe
from launcher.supervise.launch import start
start(load_recipe(Path(sys.argv[1])), load_cluster(Path(sys.argv[2])))
"""
    done = python(site, program, site.recipe(JOB), CLUSTER)
    assert "UsageError: cluster site is not this machine alone" in done.stderr


def test_a_plan_is_compared_with_a_run_that_lives_elsewhere(site: Site, ended: str) -> None:
    same = site.npu_launch("plan", site.recipe(JOB), "-c", CLUSTER, "--diff", ended)
    assert same.code == ExitCode.OK, same.err
    more = site.npu_launch("plan", site.recipe(JOB, args={"epochs": 2}), "-c", CLUSTER, "--diff", ended)
    assert "epochs" in more.out


def test_stop_without_a_name_means_the_run_that_has_not_ended_wherever_it_lives(site: Site, ended: str) -> None:
    begun = site.npu_launch("run", site.recipe("import time; time.sleep(600)", grace=1), "-c", CLUSTER, "-d")
    assert begun.code == ExitCode.OK, begun.err
    assert site.npu_launch("stop").code == ExitCode.OK
    assert site.state(begun.out.strip()).phase is RunPhase.STOPPED
    assert site.state(ended).phase is RunPhase.SUCCEEDED


def test_a_rerun_brings_the_hosts_up_first_and_says_so_where_it_cannot(site: Site, ended: str) -> None:
    assert site.npu_launch("down", CLUSTER).code == ExitCode.OK
    at_home = site.npu_launch("rerun", ended, at=site.head)  # which has no way to the other host
    assert at_home.code == ExitCode.INFRASTRUCTURE
    assert "the hosts of site are not up, and cannot be brought up from here" in at_home.err
    assert "npu-launch up CLUSTER on a machine that reaches all hosts by ssh" in at_home.err
    refused = site.npu_launch("rerun", ended, "--set", "data=[/gone]")  # the hosts are up then, and looked at
    assert refused.code == ExitCode.PREFLIGHT_REFUSED
    assert "/gone" in refused.err
    again = site.npu_launch("rerun", ended, "--set", "env.MORE=1")
    assert again.code == ExitCode.OK, again.err
    assert len(site.state(ended).attempts) == 2


def test_an_interrupt_does_not_wait_for_hosts(site: Site) -> None:
    laptop, slow = site.machines.laptop, site.machines["node-2"]

    def connected() -> str:
        """The id, on the laptop, of a process with a connection to the slow host; empty without one."""
        found = re.search(r"pid=(\d+)", laptop.run("ss", "-Htnp", "state", "established", "dst", slow.address).stdout)
        return "" if found is None else found[1]

    assert not connected()
    slow.stop()  # it takes connections, and says nothing
    try:
        with site.beside("up", CLUSTER) as command:
            while not (pid := connected()):
                assert command.poll() is None
            assert laptop.run("kill", "-INT", pid).returncode == 0
            assert command.wait(5) == ExitCode.INTERRUPTED
    finally:
        slow.resume()
