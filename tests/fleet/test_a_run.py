"""up, run, logs, rerun and down, from a laptop that is none of the hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.errors import ExitCode
from launcher.runs.home import runtime_path
from launcher.runs.state import RunPhase
from tests.fleet.site import HOME, Site, document
from tests.machines import Machines

pytestmark = pytest.mark.timeout(300)

STEPS = """
import os, time
rank = int(os.environ["RANK_ID"])
for step in range(1, 4):
    print(f"rank {rank} on {os.uname().nodename} step {step}", flush=True)
    time.sleep(0.2)
"""


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Machines("node-1", "node-2") as machines:
        yield Site(machines, ["node-1", "node-2"])


def test_a_job_runs_on_two_hosts_that_nothing_was_installed_on(site: Site) -> None:
    recipe = site.recipe(STEPS)
    up = site.npu_launch("up", "/root/job/cluster.yaml")
    assert up.code == ExitCode.OK, up.err
    done = site.npu_launch("run", recipe, "-c", "/root/job/cluster.yaml")
    assert done.code == ExitCode.OK, done.err + done.out
    status = document(site.npu_launch("status", "--json"))
    run = str(status["run"])
    assert site.state(run).phase is RunPhase.SUCCEEDED
    for rank in range(4):
        host = "node-1" if rank < 2 else "node-2"
        assert site.log(host, run, rank).count("step") == 3
        assert site.log("node-1", run, rank) == site.log(host, run, rank)  # all logs come to the run's home
    logs = site.npu_launch("logs", run, "--rank", "0-3")
    assert logs.out.count("step 3") == 4

    again = site.npu_launch("rerun", run)
    assert again.code == ExitCode.OK, again.err
    assert len(site.state(run).attempts) == 2

    down = site.npu_launch("down", "/root/job/cluster.yaml")
    assert down.code == ExitCode.OK, down.err
    for name in site.hosts:
        assert site.left_on(site.machines[name]) == []
        assert not site.machines[name].path(str(runtime_path(Path(HOME)))).exists()
        assert site.machines[name].path(f"{HOME}/runs").exists()


def test_a_single_host_elsewhere_has_one_ray(site: Site) -> None:
    cluster = site.part("node-1")
    begun = site.npu_launch("run", site.recipe("import time; time.sleep(1000)", ranks=2), "-c", cluster, "-d")
    assert begun.code == ExitCode.OK, begun.err
    run = begun.out.strip()
    site.wait(run, lambda s: s.supervisor is not None and s.supervisor.by == "ray", "Ray supervises")
    assert len(site.head.processes("gcs_server")) == 1
    stopped = site.npu_launch("stop", run)
    assert stopped.code == ExitCode.OK, stopped.err
    down = site.npu_launch("down", cluster)
    assert down.code == ExitCode.OK, down.err
    assert site.left_on(site.head) == []
