"""Sites that are set up otherwise: a home on a file server, traffic with certificates, a Ray that is there already."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from launcher.errors import ExitCode
from launcher.runs.home import runtime_path
from launcher.runs.state import RunPhase
from tests.fleet import certificates
from tests.fleet.certificates import Authority
from tests.fleet.site import HOME, Site, commands, document, ranks_on
from tests.machines import Machine, Machines

pytestmark = pytest.mark.timeout(300)

CLUSTER = "/root/job/cluster.yaml"
HOSTS = ("node-1", "node-2")
RAY_PORT = 6379

STEPS = """
import os
rank = int(os.environ["RANK_ID"])
for step in range(1, 4):
    print(f"rank {rank} on {os.uname().nodename} step {step}", flush=True)
"""
UNTIL_STOPPED = """
import os, time
print(f"rank {os.environ['RANK_ID']} on {os.uname().nodename}", flush=True)
time.sleep(600)
"""


def ok(site: Site, *arguments: str, at: Machine | None = None) -> str:
    """What a command printed that has to succeed."""
    done = site.npu_launch(*arguments, at=at)
    assert done.code == ExitCode.OK, done.err + done.out
    return done.out + done.err


def run_to_its_end(site: Site) -> str:
    """The id of a run of four ranks, two on each host, all of whose lines have come."""
    ok(site, "run", site.recipe(STEPS), "-c", CLUSTER)
    run = str(document(site.npu_launch("status", "--json"))["run"])
    assert site.state(run).phase is RunPhase.SUCCEEDED
    assert ok(site, "logs", run, "--rank", "0-3").count("step 3") == 4
    return run


def take_down(site: Site) -> None:
    """After which nothing of ours is left."""
    ok(site, "down", CLUSTER)
    for name in site.hosts:
        assert [line for line in site.left_on(site.machines[name]) if "launcher" in line] == []
        assert not site.machines[name].path(str(runtime_path(Path(HOME)))).exists()


# -- a home that the hosts share --------------------------------------------------------------------------------------


def test_hosts_may_share_their_home_and_the_code() -> None:
    with Machines(*HOSTS, shared={HOME: HOSTS, "/root/job": ("laptop", *HOSTS)}) as machines:
        site = Site(machines, HOSTS)
        ok(site, "up", CLUSTER)
        home = site.head.path(HOME)
        memberships = sorted(home.glob("machines/*/clusters/*/membership.json"))
        assert [path.parts[-4] for path in memberships] == [*HOSTS]
        run = run_to_its_end(site)
        assert not (home / "code").exists()  # it is there already
        assert not (home / "runs" / run / "mirror").exists()
        ok(site, "rerun", run)
        assert len(site.state(run).attempts) == 2

        ok(site, "run", site.recipe(UNTIL_STOPPED), "-c", CLUSTER, "-d")
        long = str(document(site.npu_launch("status", "--json"))["run"])
        site.wait_until_running(long)
        other = machines["node-2"]
        shown = document(site.npu_launch("status", long, "--json", at=other))  # which node-2 reads for itself
        assert shown["phase"] == "running"
        assert {long, run} <= set(ok(site, "ps", at=other).split())
        assert ok(site, "logs", long, at=other).count(" on node-") == 4
        assert not [line for line in site.left_on(other) if "supervise.keeper" in line]
        ok(site, "stop", long)
        assert not any(ranks_on(machines[name]) for name in HOSTS)
        take_down(site)
        assert not list(home.glob("machines/*/clusters/*/membership.json"))


# -- certificates -----------------------------------------------------------------------------------------------------


def test_hosts_that_share_an_authority_speak_in_secret_and_one_with_another_is_told_so() -> None:
    with Machines(*HOSTS) as machines:
        site = Site(machines, HOSTS, ray={"tls": certificates.SPEC})
        ours, other = Authority("ours"), Authority("other")
        for name in HOSTS:
            ours.equip(machines[name])
        ok(site, "up", CLUSTER)
        run_to_its_end(site)
        take_down(site)

        other.equip(machines["node-2"])
        refused = site.npu_launch("up", CLUSTER)
        assert refused.code == ExitCode.INFRASTRUCTURE
        assert "host node-2" in refused.err
        assert "certificate" in refused.err


# -- a Ray that is there already --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def with_ray() -> Iterator[Site]:
    """Two hosts in a Ray of somebody else, and a third that is not."""
    with Machines(*HOSTS, "node-3") as machines:
        site = Site(machines, HOSTS)
        head = machines["node-1"].address
        for name in HOSTS:
            role = ("--head", f"--port={RAY_PORT}") if name == "node-1" else (f"--address={head}:{RAY_PORT}",)
            start_ray(machines[name], *role)
        yield site


def start_ray(machine: Machine, *role: str) -> None:
    """Put a machine into a Ray, as somebody might who does not know of npu-launch."""
    machine.path("/root/token").write_text("7" * 64)
    ray = (sys.executable, "-m", "ray.scripts.scripts", "start", *role, f"--node-ip-address={machine.address}")
    slim = ("--num-cpus=2", "--object-store-memory=80000000", "--include-dashboard=false", "--disable-usage-stats")
    shown = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": "/root/token"}
    inside = ("env", "-C", "/", *(f"{name}={value}" for name, value in shown.items()))
    done = machine.run(*inside, *ray, *(slim if "--head" in role else slim[:2]), timeout=60)
    assert done.returncode == 0, done.stderr + done.stdout


def described(site: Site, *hosts: str, token: str | None = "7" * 64, port: int = RAY_PORT) -> None:
    """Write a cluster spec of these hosts with that Ray."""
    ray = {"address": f"{site.head.address}:{port}"}
    if token is not None:
        ray["token"] = site.write("token", token, 0o600)
    Site(site.machines, hosts, ray=ray)


def test_a_ray_that_is_there_is_used_and_left_as_it_was(with_ray: Site) -> None:
    site = with_ray
    described(site, *HOSTS)
    before = {process.pid for name in HOSTS for process in site.machines[name].processes("raylet", "gcs_server")}
    assert len(before) == 3
    assert "site is up" in ok(site, "up", CLUSTER)
    run_to_its_end(site)

    ok(site, "run", site.recipe(UNTIL_STOPPED, lease=60), "-c", CLUSTER, "-d")
    run = str(document(site.npu_launch("status", "--json"))["run"])
    site.wait_until_running(run)
    deadline = time.monotonic() + 30
    while len(ranks := [process for name in HOSTS for process in ranks_on(site.machines[name])]) < 4:
        assert time.monotonic() < deadline, site.tail(run)  # one that is just beginning is not yet seen to be a rank
        time.sleep(0.1)
    assert [process.nice() for process in ranks] == [0] * 4  # that Ray's workers run at 15
    assert [Path(f"/proc/{process.pid}/oom_score_adj").read_text() for process in ranks] == ["0\n"] * 4
    for agent in actors(site.machines["node-2"], "Agent"):
        agent.terminate()  # in good order: it ends its children, unless they are no longer its
        agent.wait(20)
    deadline = time.monotonic() + 30
    while not actors(site.machines["node-2"], "Agent"):
        assert time.monotonic() < deadline, site.tail(run)
        time.sleep(0.1)
    assert [process.is_running() for process in ranks] == [True] * 4
    ok(site, "stop", run)
    take_down(site)
    assert before == {
        process.pid for name in HOSTS for process in site.machines[name].processes("raylet", "gcs_server")
    }
    assert not [actor for name in HOSTS for actor in actors(site.machines[name], "")]


def test_what_is_wrong_with_a_ray_that_is_there_is_told(with_ray: Site) -> None:
    site = with_ray
    described(site, *HOSTS, token=None)
    assert "the Ray that is there wants another token" in site.npu_launch("up", CLUSTER).err
    described(site, *HOSTS, token="8" * 64)
    assert "the Ray that is there wants another token" in site.npu_launch("up", CLUSTER).err
    described(site, *HOSTS, port=RAY_PORT + 1)
    assert "no Ray answers there" in site.npu_launch("up", CLUSTER).err
    described(site, *HOSTS, "node-3")
    stranger = site.npu_launch("up", CLUSTER)
    assert stranger.code == ExitCode.INFRASTRUCTURE
    assert f"{site.machines['node-3'].address} is no node of the Ray that is there" in stranger.err
    assert "host node-3" in stranger.err


def actors(machine: Machine, name: str) -> list[psutil.Process]:
    """Ray's workers there that are actors of this class, or of any of ours."""
    classes = (name,) if name else ("Agent", "SupervisorActor")
    return [
        process for process, line in commands(machine) if line.startswith(tuple(f"ray::{each}" for each in classes))
    ]
