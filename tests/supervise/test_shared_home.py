"""Hosts that share their home see the records of each other's runs, and one takes over what a lost one had."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from launcher.runs.clusters import Member, Membership, cluster_id, write_membership
from launcher.runs.events import RunCreated
from launcher.runs.pointer import here, move, pointed_at
from launcher.runs.store import RunDirectory, create_run
from launcher.specs import load_cluster
from launcher.supervise import begin
from launcher.supervise.begin import adopt
from launcher.supervise.fleet.there import look
from tests.runs.test_pointer import CLUSTER


@pytest.fixture
def run(home: Path) -> RunDirectory:
    """A run of the host a, which is lost; this is b."""
    run = create_run("job", "", CLUSTER, 1.0)
    move(run, here("a").model_copy(update={"machine": f"not-{os.uname().nodename}"}))
    created = RunCreated(
        time=time.time(), run=run.id, name="job", framework="plain", target="job.py", world_size=2, hosts=("a", "b")
    )
    with run.writer() as writer:
        assert writer.append([created]) is None
    members = (Member(name="a", ip="192.0.2.1"), Member(name="b", ip="192.0.2.2"))
    ident = cluster_id(load_cluster(run.layout.cluster))
    write_membership(
        Membership(cluster="two", id=ident, head="b", me="b", members=members, port=19700, stay=True, python="python3")
    )
    return run


@pytest.fixture
def kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[RunDirectory]:
    found: list[RunDirectory] = []
    monkeypatch.setattr(begin, "ensure_kept", found.append)
    return found


def test_a_run_whose_home_is_lost_is_offered_by_who_shares_it_unless_it_is_supervised(run: RunDirectory) -> None:
    ident = cluster_id(load_cluster(run.layout.cluster))
    assert [(mirror.run, mirror.home) for mirror in look(ident).mirrors] == [(run.id, "a")]
    assert look("00000000").mirrors == ()
    lock = run.lock()
    assert lock.try_acquire()
    assert look(ident).mirrors == ()
    lock.release()


def test_the_run_of_another_host_is_left_alone_until_it_is_to_be_taken_over(
    run: RunDirectory, kept: list[RunDirectory]
) -> None:
    assert adopt() == ()
    assert kept == []
    assert adopt([run.id]) == (run.id,)
    assert kept == [run]
    assert pointed_at(run) == here("b")
    assert [host.name for host in load_cluster(run.layout.cluster).hosts] == ["b", "a"]
