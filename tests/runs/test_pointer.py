"""Where a run lives is known to the machine that launched it, and to those that share the home with its record."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launcher.cli.delegation import elsewhere
from launcher.runs.pointer import At, here, move, point, pointed_at
from launcher.runs.store import RunDirectory, create_run
from launcher.supervise import detached
from launcher.supervise.detached import ensure_kept

CLUSTER = """
name: two
soc: CPU
hosts:
  - {name: a, address: 192.0.2.1, devices: 1}
  - {name: b, address: 192.0.2.2, devices: 1}
"""


@pytest.fixture
def run(home: Path) -> RunDirectory:
    return create_run("job", "", CLUSTER, 1.0)


@pytest.fixture
def kept(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[RunDirectory]:
    """The runs for which a keeper was started."""
    found: list[RunDirectory] = []
    monkeypatch.setattr(detached, "start_keeper", found.append)
    return found


def test_a_run_lives_here_where_it_was_begun_whatever_address_this_host_has(
    run: RunDirectory, kept: list[RunDirectory]
) -> None:
    move(run, here("a"))
    assert elsewhere(run) is None
    ensure_kept(run)
    assert kept == [run]


def test_a_machine_that_shares_the_home_reads_the_run_and_leaves_the_rest_to_the_one_that_it_lives_on(
    run: RunDirectory, kept: list[RunDirectory]
) -> None:
    move(run, here("a").model_copy(update={"machine": f"not-{os.uname().nodename}"}))
    assert elsewhere(run, to_read=True) is None
    away = elsewhere(run)
    assert away is not None
    assert away.host.name == "a"
    ensure_kept(run)
    assert kept == []


def test_a_machine_that_launched_the_run_asks_its_home(kept: list[RunDirectory]) -> None:
    run = point("job-1234", "job", 1.0, "", CLUSTER, At(host="a", python="/usr/bin/python3", home="/root/.npu-launch"))
    assert elsewhere(run, to_read=True) is not None
    ensure_kept(run)
    assert kept == []


def test_who_launches_into_a_home_that_it_shares_leaves_there_what_the_home_wrote(run: RunDirectory) -> None:
    move(run, here("a"))
    point(run.id, "job", 2.0, "", "", At(host="a", python="/usr/bin/python3", home="/root/.npu-launch"))
    assert pointed_at(run) == here("a")
    assert run.layout.cluster.read_text() == CLUSTER
