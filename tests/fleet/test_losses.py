"""A host that loses its power or its network, and a head that loses its Ray, its power, or both."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from launcher.errors import ExitCode
from launcher.runs.events import Event, HostUnreachable
from launcher.runs.record import RecordReader
from launcher.runs.state import RunPhase, RunState
from tests.fleet.site import HOME, Site, document, ranks_on
from tests.machines import Machine, Machines

pytestmark = pytest.mark.timeout(400)

CLUSTER = "/root/job/cluster.yaml"
LEASE = 12.0  # seconds

# The first attempt trains for ever, a later one for a moment; each rank says when it is there.
JOB = """
import os, time
attempt, rank = int(os.environ["NPU_LAUNCH_ATTEMPT"]), int(os.environ["NPU_LAUNCH_RANK"])
for step in range(1, 10_000 if attempt == 1 else 4):
    print(f"step {step}/10000 of rank {rank} on {os.uname().nodename}", flush=True)
    time.sleep(0.3)
"""


@pytest.fixture(scope="module")
def all_hosts() -> Iterator[Site]:
    names = ["node-1", "node-2", "node-3"]
    with Machines(*names) as machines:
        yield Site(machines, names, spares=["node-3"])


@pytest.fixture
def site(all_hosts: Site) -> Site:
    """The hosts, up; what the test before has done to them is mended as a person would."""
    for name in all_hosts.hosts:
        if not all_hosts.machines[name].is_on:
            all_hosts.machines[name].boot()  # with an empty disk: it is brought up like a new one
    up = all_hosts.npu_launch("up", CLUSTER)
    assert up.code == ExitCode.OK, up.err
    return all_hosts


def start(site: Site, **fields: Any) -> str:
    """A run of four ranks on the first two hosts, of which all run; its id."""
    restart = {"policy": "group", "max_restarts": 2}
    recipe = site.recipe(JOB, **{"lease": LEASE, "grace": 1, "restart": restart, **fields})
    begun = site.npu_launch("run", recipe, "-c", CLUSTER, "-d")
    assert begun.code == ExitCode.OK, begun.err
    run = begun.out.strip()
    site.wait_until_running(run)
    return run


def pids_on(machine: Machine) -> list[int]:
    """The ids of ranks on a machine."""
    return sorted(process.pid for process in ranks_on(machine))


def events(site: Site, run: str, at: Machine | None = None) -> list[Event]:
    return RecordReader((at or site.head).path(f"{HOME}/runs/{run}/events.jsonl")).read()


def ended(state: RunState) -> bool:
    return state.phase.ended


def test_a_host_without_power_is_noticed_and_its_ranks_start_on_the_spare(site: Site) -> None:
    run = start(site)
    site.machines["node-2"].power_off()
    off = time.time()
    state = site.wait(run, ended, "the run has ended", timeout=90)
    assert state.phase is RunPhase.SUCCEEDED, site.tail(run)
    noticed = next(event for event in events(site, run) if isinstance(event, HostUnreachable))
    assert noticed.host == "node-2"
    assert noticed.time - off < 24  # 12 on a machine that has nothing else to do
    assert [attempt.hosts for attempt in state.attempts] == [{"node-1", "node-2"}, {"node-1", "node-3"}]
    assert site.log("node-1", run, 2, attempt=2).count("on node-3") == 3
    assert not ranks_on(site.machines["node-1"])

    site.machines["node-2"].boot()  # with an empty disk: it is brought up like a new one
    up = site.npu_launch("up", CLUSTER)
    assert up.code == ExitCode.OK, up.err
    again = site.npu_launch("rerun", run)
    assert again.code == ExitCode.OK, again.err + site.tail(run)
    assert site.state(run).attempts[-1].hosts == {"node-1", "node-2"}


def test_ranks_on_a_host_that_is_cut_off_end_with_their_lease_and_it_is_welcome_again(site: Site) -> None:
    run = start(site)
    cut = site.machines["node-2"]
    cut.cut()
    began = time.monotonic()
    while ranks_on(cut):
        assert time.monotonic() - began < LEASE + 15, "the ranks live longer than their lease"
        time.sleep(0.1)
    alone_until = time.time()
    state = site.wait(run, ended, "the run has ended", timeout=90)
    assert state.phase is RunPhase.SUCCEEDED, site.tail(run)
    assert state.attempts[-1].hosts == {"node-1", "node-3"}
    assert state.attempts[-1].launched is not None
    assert state.attempts[-1].launched > alone_until - 0.5  # no twin lived beside them

    cut.heal()
    up = site.npu_launch("up", CLUSTER)
    assert up.code == ExitCode.OK, up.err
    again = site.npu_launch("rerun", run)
    assert again.code == ExitCode.OK, again.err + site.tail(run)
    assert site.state(run).attempts[-1].hosts == {"node-1", "node-2"}


def test_training_does_not_notice_that_ray_is_lost_and_found_again(site: Site) -> None:
    run = start(site, lease=60)
    before = {name: pids_on(site.machines[name]) for name in ("node-1", "node-2")}
    gcs = site.head.processes("gcs_server")
    assert len(gcs) == 1
    gcs[0].kill()
    by = site.state(run).supervisor
    assert by is not None
    site.wait(run, lambda s: s.supervisor is not None and s.supervisor.by == "keeper", "the keeper has it", 60)
    site.wait(run, lambda s: s.supervisor is not None and s.supervisor.by == "ray", "Ray has it again", 120)
    site.wait(run, lambda s: not s.unwell_hosts, "all hosts answer", 30)
    after = {name: pids_on(site.machines[name]) for name in before}
    assert after == before, site.tail(run)
    assert len(site.state(run).attempts) == 1
    stopped = site.npu_launch("stop", run)
    assert stopped.code == ExitCode.OK, stopped.err
    assert not any(ranks_on(site.machines[name]) for name in before)


def test_another_host_becomes_the_head_when_the_head_is_lost(site: Site) -> None:
    run = start(site)
    site.head.power_off()
    up = site.npu_launch("up", CLUSTER)
    assert up.code == ExitCode.OK, up.err
    heir = site.machines["node-2"]
    deadline = time.monotonic() + 120
    while not site.state(run, at=heir).phase.ended:
        assert time.monotonic() < deadline, up.err + site.tail(run, heir)
        time.sleep(0.2)
    state = site.state(run, at=heir)
    assert state.phase is RunPhase.SUCCEEDED, state.reason
    assert state.attempts[-1].hosts == {"node-2", "node-3"}
    status = document(site.npu_launch("status", run, "--json"))  # the laptop finds the run where it is now
    assert status["phase"] == "succeeded"


def test_the_ranks_of_a_head_that_is_cut_off_have_no_twins(site: Site) -> None:
    for command in ("down", "up"):  # so that the first host is the head again
        done = site.npu_launch(command, CLUSTER)
        assert done.code == ExitCode.OK, done.err
    run = start(site)
    heir = site.machines["node-2"]
    site.head.cut()
    up = site.npu_launch("up", CLUSTER)
    assert up.code == ExitCode.OK, up.err
    deadline = time.monotonic() + 120
    while ranks_on(site.head):
        assert time.monotonic() < deadline, "the ranks live longer than their lease"
        time.sleep(0.1)
    alone_until = time.time()
    while not (state := site.state(run, at=heir)).phase.ended:
        assert time.monotonic() < deadline, up.err + site.tail(run, heir)
        time.sleep(0.2)
    assert state.phase is RunPhase.SUCCEEDED, state.reason
    assert state.attempts[-1].hosts == {"node-2", "node-3"}
    assert state.attempts[-1].launched is not None
    assert state.attempts[-1].launched > alone_until - 0.5
    assert len(site.state(run, at=site.head).attempts) == 1, "a head that hears of no other host starts nothing"
    site.head.heal()
