"""The rank and the cause at the root of failures of several ranks."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from launcher.diagnose.diagnosing import diagnose_folder
from launcher.diagnose.finding import Confidence
from launcher.diagnose.loading import rulebook
from launcher.diagnose.root import Order
from tests.diagnose.scenarios import said
from tests.diagnose.scenarios.drawn import drawn
from tests.diagnose.scenarios.job import Job, Layout, by_host, one_folder_each, torchrun
from tests.diagnose.scenarios.told import SCENARIOS, Scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_the_root_is_found(scenario: Scenario, tmp_path: Path) -> None:
    folder = scenario.tell().write(tmp_path, scenario.layout)
    root = diagnose_folder(folder, rulebook()).root
    assert root is not None
    assert (root.rank, root.cause in scenario.causes) == (scenario.rank, True), (root.rank, root.cause, root.why)


@pytest.mark.parametrize("layout", [one_folder_each, by_host, torchrun], ids=lambda layout: layout.__name__)
def test_a_healthy_job_has_no_fault(layout: Layout, tmp_path: Path) -> None:
    found = diagnose_folder(Job(16).starts().write(tmp_path, layout), rulebook())
    assert found.healthy
    assert found.counts.ranks == 16


@pytest.mark.parametrize("seed", range(4))
def test_the_rank_is_found_in_failures_drawn_by_lot(seed: int, tmp_path: Path) -> None:
    lot = Random(seed)
    for turn in range(10):
        job, layout, rank, words = drawn(lot)
        root = diagnose_folder(job.write(tmp_path / str(turn), layout), rulebook()).root
        assert (root and root.rank) == rank, (words, root)


def test_hosts_whose_clocks_nothing_compares_cannot_be_ordered(tmp_path: Path) -> None:
    job = Job(16)
    for rank, seconds in ((2, 40), (9, 100)):
        job.enters(rank, 1)
        said.aicore_exception(job, rank, seconds)
    root = diagnose_folder(job.write(tmp_path, by_host), rulebook()).root
    assert root is not None
    assert (root.rank, root.order, root.also) == (2, Order.CANNOT_ORDER, (9,))
    assert root.confidence is not Confidence.HIGH
