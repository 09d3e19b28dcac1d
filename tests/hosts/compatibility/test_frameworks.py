"""Which torch_npu and which MindSpore go with a CANN, and which Python they have wheels for."""

from __future__ import annotations

import pytest

from launcher.hosts.compatibility import (
    Verdict,
    mindspore_on,
    mindspore_on_python,
    torch_npu_for,
    torch_npu_on,
    torch_npu_serves,
    torch_on_python,
)
from launcher.hosts.compatibility.mindspore import MINDSPORE_CANN
from launcher.hosts.compatibility.torch import RELEASES


def test_every_wheel_of_the_table_fits_its_torch_and_its_cann() -> None:
    for release in RELEASES:
        for torch, wheel in release.wheels.items():
            assert torch_npu_for(release.cann, torch) == wheel
            assert torch_npu_on(release.cann, wheel).verdict is Verdict.GOOD
            assert torch_npu_serves(wheel, torch).verdict is Verdict.GOOD


@pytest.mark.parametrize(
    ("cann", "wheel", "verdict"),
    [
        ("8.0.RC1", "2.1.0.post3", Verdict.GOOD),  # the source names it in one of two places
        ("8.0.RC2", "2.5.1", Verdict.GOOD),  # of the line 7.0.0, which runs from 8.0.RC2 to 8.3.RC1
        ("8.5.0", "2.5.1", Verdict.DOUBTFUL),
        ("8.0.RC1", "2.1.0.post12", Verdict.DOUBTFUL),
        ("8.0.0", "2.1.0.post99", Verdict.UNKNOWN),
        ("8.0.0", "nightly", Verdict.UNKNOWN),
    ],
)
def test_what_is_known_of_a_wheel_on_a_cann(cann: str, wheel: str, verdict: Verdict) -> None:
    assert torch_npu_on(cann, wheel).verdict is verdict


def test_a_wheel_for_another_cann_names_the_right_one_and_the_right_cann() -> None:
    suggestion = torch_npu_on("8.0.RC1", "2.1.0.post12").suggestion
    assert "torch-npu==2.1.0.post4" in suggestion
    assert "CANN 8.1.RC1 (with driver 25.0.RC1)" in suggestion


def test_a_torch_npu_for_another_torch_is_known_to_be_wrong() -> None:
    answer = torch_npu_serves("2.1.0.post8", "2.4.0")
    assert answer.verdict is Verdict.BAD
    assert answer.suggestion == "pip install torch==2.1.0"
    for same in ("2.1.0+cpu", "2.1.0rc1", "2.1.0.post1", "2.1.0"):
        assert torch_npu_serves("2.1.0.post8", same).verdict is Verdict.GOOD
    assert torch_npu_serves("2.1.0", "2.10.0").verdict is Verdict.BAD
    assert torch_npu_serves("2.1.0", "2.1.2").verdict is Verdict.DOUBTFUL


@pytest.mark.parametrize(
    ("torch", "python", "verdict"),
    [
        ("2.1.0", "3.9.9", Verdict.GOOD),
        ("2.1.0", "3.12.1", Verdict.DOUBTFUL),
        ("1.11.0", "3.10.0", Verdict.GOOD),
        ("2.6.0+cpu", "3.8.10", Verdict.DOUBTFUL),
        ("2.99.0", "3.11.0", Verdict.UNKNOWN),
    ],
)
def test_torch_has_wheels_for_some_pythons(torch: str, python: str, verdict: Verdict) -> None:
    assert torch_on_python(torch, python).verdict is verdict


def test_every_mindspore_of_the_table_runs_on_its_cann() -> None:
    for mindspore, cann in MINDSPORE_CANN.items():
        assert mindspore_on(cann, mindspore).verdict in (Verdict.GOOD, Verdict.LIKELY)


@pytest.mark.parametrize(
    ("cann", "mindspore", "verdict"),
    [
        ("8.0.0", "2.4.10", Verdict.GOOD),
        ("8.1.RC1", "2.6.0rc1", Verdict.GOOD),
        ("6.3.RC2", "2.1.0", Verdict.LIKELY),  # made for an alpha of it
        ("5.1.RC1", "1.7.0", Verdict.LIKELY),  # by the number of the solution only
        ("8.0.RC1", "2.6.0", Verdict.DOUBTFUL),
        ("8.5.0", "2.10.0", Verdict.GOOD),
        ("8.1.RC1", "2.10.0", Verdict.DOUBTFUL),
        ("8.1.RC1", "3.0.0", Verdict.UNKNOWN),
        ("?", "2.6.0", Verdict.UNKNOWN),
    ],
)
def test_what_is_known_of_a_mindspore_on_a_cann(cann: str, mindspore: str, verdict: Verdict) -> None:
    assert mindspore_on(cann, mindspore).verdict is verdict


def test_a_mindspore_on_another_cann_names_both_ways_out() -> None:
    assert (
        mindspore_on("8.0.RC2", "2.6.0").suggestion == "install CANN 8.1.RC1 (with driver 25.0.RC1), or MindSpore 2.3.1"
    )
    assert mindspore_on("8.1.RC1", "2.10.0").suggestion == "install CANN 8.2 (with driver 25.2.0)"


def test_mindspore_has_wheels_for_some_pythons() -> None:
    assert mindspore_on_python("2.6.0", "3.8.1").verdict is Verdict.DOUBTFUL
    assert mindspore_on_python("2.6.0", "3.11.7").verdict is Verdict.GOOD
    assert mindspore_on_python("2.3.1", "3.8.1").verdict is Verdict.UNKNOWN
