"""The job has to fit into the memory of the devices."""

from __future__ import annotations

from typing import Any

import pytest

from launcher.hosts.preflight.finding import Finding, Severity
from launcher.hosts.preflight.memory import check_memory
from launcher.hosts.report import NpuProcess
from launcher.specs import Framework
from launcher.specs.frozen import FrozenMap
from tests.hosts.preflight.reports import cluster, npu, recipe, report, subject

GB = 1 << 30
MB = 1 << 20


def found(
    needed: int | dict[str, int] | None = None, framework: Framework = Framework.PLAIN, **device: Any
) -> list[Finding]:
    job = (
        recipe(ranks=1, framework=framework, memory=FrozenMap(needed) if isinstance(needed, dict) else needed)
        if needed is not None
        else None
    )
    return list(check_memory(subject([report(devices=1, npus=(npu(0, **device),))], cluster(devices=1), job)))


def test_an_idle_device_is_not_spoken_of() -> None:
    assert not found()
    assert not found(58 * GB)
    assert not found(name="910A", memory_used=0, memory_total=32768)
    assert not found(memory_total=None)


def test_what_a_rank_needs_matters_where_ranks_are() -> None:
    job = recipe(ranks=1, memory=70 * GB)
    assert [f.device for f in check_memory(subject([report()], cluster(), job))] == [0]


def test_more_than_the_device_has_is_refused() -> None:
    (finding,) = found(70 * GB)
    assert finding.severity is Severity.REFUSE
    assert "64 GB" in finding.seen
    assert "70 GB" in finding.expected


def test_of_a_memory_in_parts_the_sum_counts_and_the_largest_parts_are_named() -> None:
    (finding,) = found({"conv1": 300 * MB, "fc6": 15 * GB, "local convolution": 105 * GB, "loss": 100 * MB})
    assert finding.severity is Severity.REFUSE
    assert finding.expected == (
        "120 GB for a rank, as the recipe says (memory): 105 GB local convolution, 15 GB fc6, 400 MB the rest"
    )
    assert not found({"a": 30 * GB, "b": 28 * GB})


def test_parts_of_which_none_is_large_are_named_up_to_three() -> None:
    (finding,) = found({f"layer {number}": (20 + number) * GB for number in range(5)})
    assert finding.expected.endswith(": 24 GB layer 4, 23 GB layer 3, 22 GB layer 2, 41 GB the rest")


def test_one_part_is_named_and_there_is_no_rest() -> None:
    (finding,) = found({"all of it": 70 * GB})
    assert finding.expected.endswith("(memory): 70 GB all of it")


def test_what_the_device_itself_takes_is_inferred_and_so_a_warning() -> None:
    (finding,) = found(63 * GB)
    assert finding.severity is Severity.WARN


@pytest.mark.parametrize(("framework", "says"), [(Framework.MINDSPORE, True), (Framework.PYTORCH, False)])
def test_mindspore_leaves_26_of_32_gb_for_operators(framework: Framework, says: bool) -> None:
    some = found(28 * GB, framework, name="910A", memory_used=0, memory_total=32768)
    assert [f.severity for f in some] == ([Severity.WARN] if says else [])
    if says:
        assert "26 GB for operators and 5 GB for variables" in some[0].seen
        assert "inferred" in some[0].seen
    assert not found(26 * GB, framework, name="910A", memory_used=0, memory_total=32768)


def test_memory_that_nobody_named_holds_is_a_warning() -> None:
    (finding,) = found(memory_used=20000)
    assert finding.severity is Severity.WARN
    assert "20000 of 65536 MB" in finding.seen
    assert "by nobody that npu-smi names" in finding.seen
    assert finding.command.startswith("sudo fuser -v /dev/davinci0")


def test_memory_that_is_held_and_needed_is_refused() -> None:
    assert [f.severity for f in found(50 * GB, memory_used=20000)] == [Severity.REFUSE]
    assert [f.severity for f in found(40 * GB, memory_used=20000)] == [Severity.WARN]


def test_a_device_that_is_full_is_refused_whatever_is_needed() -> None:
    assert [f.severity for f in found(memory_used=65529)] == [Severity.REFUSE]


def test_memory_of_a_process_that_npu_smi_names_is_that_processs() -> None:
    assert not found(50 * GB, memory_used=53400, processes=(NpuProcess(7, "python3", 50000),))
    assert not found(50 * GB, memory_used=53400, processes=(NpuProcess(7, "python3", None),))
    assert found(memory_used=53400, processes=(NpuProcess(7, "python3", 1000),))
