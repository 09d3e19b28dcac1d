"""A recipe's own patterns are read as the lines of a known trainer are."""

from __future__ import annotations

import time

import pytest

from launcher.logs.metrics import Counted, Metric, Step, reader_of

MINE = (r"^it=(?P<step>\d+)/(?P<steps>[\d,]+)", r"\bL=(?P<loss>\S+)", r"took (?P<step_time_ms>[\d.]+) ms")


def test_the_groups_of_all_patterns_make_one_step() -> None:
    assert reader_of(MINE).observe(b"it=7/1,000 [a] L=0.25 took 250 ms") == Step(
        7, 1000, counted=Counted.TRAINING, values={Metric.LOSS: 0.25, Metric.STEP_SECONDS: 0.25}
    )


def test_a_pattern_of_the_recipe_comes_before_those_of_trainers() -> None:
    mine = reader_of((r"loss is (?P<accuracy>[\d.]+)",))
    seen = mine.observe(b"epoch: 1 step: 5, loss is 0.5")
    assert isinstance(seen, Step)
    assert seen.values == {Metric.ACCURACY: 0.5}


@pytest.mark.parametrize("line", [b"it=x", b"L=none", b"it=\xff/\xfe", b""])
def test_a_group_that_is_no_number_is_not_there(line: bytes) -> None:
    assert reader_of(MINE).observe(line) is None


def test_its_lines_are_found_in_a_block() -> None:
    block = b"text\nit=1/9 x\nit is\nnothing L=2\n"
    assert [line for _, line in reader_of(MINE).marked_lines(block)] == [b"it=1/9 x", b"nothing L=2"]
    assert list(reader_of().marked_lines(block)) == []


def test_a_pattern_never_reaches_beyond_its_line() -> None:
    assert list(reader_of((r"a\s+(?P<loss>\d+)", r"b[^x]+(?P<step>1)")).marked_lines(b"a\n5\nb\n1\n")) == []


def test_no_pattern_takes_long_over_any_line() -> None:
    hostile = reader_of((r"(?:(?P<loss>a+)+)+$", r"x.*x.*x.*x.*x(?P<step>y)", r"(?P<lr>(?:.|b)*)c"))
    began = time.process_time()
    assert hostile.observe(b"a" * 9_000 + b"!") is None
    assert hostile.observe(b"x" * 9_000) is None
    assert list(hostile.marked_lines(b"a" * 1_000_000 + b"!")) == []
    assert time.process_time() - began < 2
