"""A run on several hosts, each with processes of its own and a node of Ray, on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from launcher.runs.record import RecordReader
from launcher.runs.state import RankPhase, RunPhase
from launcher.runs.store import RunDirectory
from launcher.supervise.launch import request_stop
from tests.end_to_end import pids, wait_for, wait_until_ended, write_recipe
from tests.supervise.virtual_nodes import VirtualNodes

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="hosts with processes of their own need root")
ONCE = {"policy": "group", "max_restarts": 1}
UNTIL_TOLD = "while [ ! -e {}/go ]; do sleep 0.05; done"


@pytest.fixture
def nodes(home: Path) -> Iterator[VirtualNodes]:
    (home.parent / "claims").mkdir(mode=0o700)
    nodes = VirtualNodes(3, slots=2)
    try:
        yield nodes
    finally:
        nodes.close()


def types(run: RunDirectory) -> list[str]:
    return [event.type for event in RecordReader(run.layout.events).read()]


def wait_until_all_run(run: RunDirectory, attempt: int = 1) -> dict[int, int]:
    def run_in_attempt() -> bool:
        state = run.state()
        return len(state.attempts) == attempt and state.count(RankPhase.RUNNING) == state.world_size

    wait_for(run_in_attempt, f"all ranks run in attempt {attempt}")
    return pids(run)


def test_a_run_on_several_hosts_is_started_by_its_supervisor_on_ray(nodes: VirtualNodes, tmp_path: Path) -> None:
    run = nodes.run(write_recipe(tmp_path, "echo rank $RANK", ranks=4))
    state = wait_until_ended(run)
    assert state.phase is RunPhase.SUCCEEDED, state.reason
    assert {rank.host for rank in state.ranks.values()} == {"node-0", "node-1"}
    assert types(run).count("supervisor_changed") == 1


def test_ranks_outlive_the_ray_of_their_host(nodes: VirtualNodes, tmp_path: Path) -> None:
    run = nodes.run(write_recipe(tmp_path, UNTIL_TOLD.format(tmp_path), ranks=4))
    before = wait_until_all_run(run)
    nodes.kill_ray("node-1")
    wait_for(lambda: "host_suspected" in types(run), "the host is missed")
    nodes.add("node-1")
    wait_for(lambda: "host_back" in types(run), "the host is back")
    assert pids(run) == before
    (tmp_path / "go").touch()
    state = wait_until_ended(run)
    assert state.phase is RunPhase.SUCCEEDED, state.reason
    assert len(state.attempts) == 1


def test_a_host_that_is_gone_is_fenced_and_a_spare_takes_its_place(nodes: VirtualNodes, tmp_path: Path) -> None:
    script = "[ $NPU_LAUNCH_ATTEMPT = 2 ] || sleep 1000"
    run = nodes.run(write_recipe(tmp_path, script, ranks=4, lease=3, grace=0.5, restart=ONCE))
    wait_until_all_run(run)
    nodes.power_off("node-1")
    state = wait_until_ended(run)
    assert state.phase is RunPhase.SUCCEEDED, state.reason
    assert {rank.host for rank in state.ranks.values()} == {"node-0", "node-2"}
    assert "host_fenced" in types(run)


def test_what_is_left_on_a_fenced_host_is_ended_when_it_comes_back(nodes: VirtualNodes, tmp_path: Path) -> None:
    script = f"touch {tmp_path}/$NPU_LAUNCH_ATTEMPT-$RANK; {UNTIL_TOLD.format(tmp_path)}"
    run = nodes.run(write_recipe(tmp_path, script, ranks=4, lease=3, grace=0.5, restart=ONCE))
    wait_until_all_run(run)
    wait_for(lambda: nodes.ranks("node-1") == {"2", "3"}, "both ranks are there")
    nodes.suspend("node-1")
    wait_until_all_run(run, attempt=2)
    nodes.resume("node-1")
    wait_for(lambda: "host_back" in types(run), "the host is back")
    assert not nodes.ranks("node-1")
    wait_for(lambda: nodes.ranks("node-2") == {"2", "3"}, "both ranks are there")
    (tmp_path / "go").touch()
    assert wait_until_ended(run).phase is RunPhase.SUCCEEDED


def test_ranks_outlive_the_head_of_ray(nodes: VirtualNodes, tmp_path: Path) -> None:
    run = nodes.run(write_recipe(tmp_path, UNTIL_TOLD.format(tmp_path), ranks=4))
    before = wait_until_all_run(run)
    nodes.kill_ray("node-1")
    nodes.kill_ray("node-0")
    wait_for(lambda: getattr(run.state().supervisor, "by", None) == "keeper", "the keeper has the run")
    nodes.add("node-0")
    nodes.add("node-1")
    wait_for(lambda: getattr(run.state().supervisor, "by", None) == "ray", "Ray has the run")
    assert pids(run) == before
    (tmp_path / "go").touch()
    state = wait_until_ended(run)
    assert state.phase is RunPhase.SUCCEEDED, state.reason
    assert len(state.attempts) == 1


def test_a_run_that_finds_no_ray_says_so_and_can_be_stopped(nodes: VirtualNodes, tmp_path: Path) -> None:
    nodes.kill_ray("node-0")
    run = nodes.run(write_recipe(tmp_path, "echo rank $RANK", ranks=4))
    wait_for(lambda: bool(run.state().notes), "it says that there is no Ray")
    request_stop(run, by="a test")
    state = wait_until_ended(run)
    assert state.phase is RunPhase.STOPPED
    assert all(rank.phase is RankPhase.WAITING for rank in state.ranks.values())
