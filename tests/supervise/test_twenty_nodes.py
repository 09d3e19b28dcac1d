"""Twenty hosts, each with a node of Ray, a shim and an agent, on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.runs.state import RankPhase, RunPhase
from tests.end_to_end import wait_for, write_recipe
from tests.supervise.virtual_nodes import VirtualNodes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="hosts with processes of their own need root")
HOSTS = 20
LOST = "node-7"
PATIENCE = 300.0  # seconds for each step; Ray's own processes of twenty nodes take some 80 s of processor time


@pytest.fixture
def nodes(home: Path) -> Iterator[VirtualNodes]:
    (home.parent / "claims").mkdir(mode=0o700)
    nodes = VirtualNodes(HOSTS, slots=1, many=True)
    try:
        yield nodes
    finally:
        nodes.close()


@pytest.mark.timeout(900)
def test_a_gang_on_nineteen_hosts_loses_one_and_goes_on_with_the_spare(
    nodes: VirtualNodes, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    script = "[ $NPU_LAUNCH_ATTEMPT = 2 ] || sleep 1000"
    recipe = write_recipe(
        tmp_path, script, ranks=HOSTS - 1, lease=30, grace=0.5, restart={"policy": "group", "max_restarts": 1}
    )
    began = time.monotonic()
    run = nodes.run(recipe)
    wait_for(lambda: run.state().count(RankPhase.RUNNING) == HOSTS - 1, "all ranks run", PATIENCE)
    started = time.monotonic()
    record_property("memory_mib_per_host", round(nodes.memory() / HOSTS / 2**20))
    nodes.power_off(LOST)
    wait_for(lambda: run.state().phase.ended, "the run has ended", PATIENCE)
    state = run.state()
    record_property("seconds_until_all_run", round(started - began, 1))
    record_property("seconds_from_the_loss_to_the_end", round(time.monotonic() - started, 1))
    assert state.phase is RunPhase.SUCCEEDED, state.reason
    assert len(state.attempts) == 2
    assert {rank.host for rank in state.ranks.values()} == {f"node-{n}" for n in range(HOSTS)} - {LOST}
