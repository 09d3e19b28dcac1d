"""A search finds the lines that `re` finds, by whatever way it goes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from io import BytesIO
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs.pattern import Pattern, Reported, compiled, database
from launcher.logs.scan import Scanner
from launcher.logs.search import Search
from tests.logs.patterns import BLOCKS, PATTERNS, expected

EACH = [Search([pattern]) for pattern in PATTERNS]
SOME = st.lists(st.integers(0, len(PATTERNS) - 1), min_size=1, max_size=4, unique=True)
TEXTS = st.lists(st.sampled_from([index for index, pattern in enumerate(PATTERNS) if pattern.literal]), min_size=1)


def lines_of(block: bytes) -> list[tuple[int, int]]:
    """Where each line begins and ends."""
    ends = list(accumulate(map(len, BytesIO(block).readlines())))
    return list(zip([0, *ends], ends, strict=False))


@settings(max_examples=100, deadline=None)
@given(BLOCKS)
def test_the_lines_of_each_pattern_are_those_that_re_finds_it_in(block: bytes) -> None:
    wanted = expected(block)
    for index, search in enumerate(EACH):
        spans = [span for number, span in enumerate(lines_of(block)) if (index, number) in wanted]
        assert search.spans(block) == spans, PATTERNS[index]
        assert search.spans(memoryview(bytearray(block + b"b\n"))[: len(block)]) == spans


@settings(max_examples=100, deadline=None)
@given(BLOCKS, SOME | TEXTS)
def test_a_line_in_which_several_patterns_are_is_found_once(block: bytes, chosen: list[int]) -> None:
    numbers = {number for index, number in expected(block) if index in chosen}
    spans = [span for number, span in enumerate(lines_of(block)) if number in numbers]
    patterns = [PATTERNS[index] for index in chosen]
    assert Search(patterns).spans(block) == Search(patterns, quick=False).spans(block) == spans


def test_a_machine_without_hyperscan_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    assert Search([Pattern("one"), Pattern("t.o", literal=False)]).spans(b"two\nthree\none\n") == [(0, 4), (10, 14)]


@pytest.mark.parametrize("text", ["a", "a+", "[a ]", "a.*a"])
def test_a_long_line_that_is_full_of_it_is_found_once(text: str) -> None:
    block = b"a " * 2_000_000 + b"\nb\n" + b"a a" * 1_000_000
    assert Search([Pattern(text, literal=False)]).spans(block) == [(0, 4_000_001), (4_000_003, 7_000_003)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        *((r"\bone$", [0, 2]), (r"(?x) o n e", [0, 1, 2]), (r"(?i)NONE", [1, 4]), (r"one of|1", [1, 3])),
        *((r"(?P<a>o)f", [1]), (r"^n", [1]), (r"\w{4} ", [1]), ("=" * 300, [3]), ("失败" * 40, [5]), ("NONE", [4])),
    ],
)
def test_hyperscan_looks_for_it(text: str, lines: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    def by_re(_scanner: Scanner, _block: bytes) -> Iterator[tuple[int, int]]:
        raise AssertionError("line by line")

    monkeypatch.setattr(Scanner, "_slow_hits", by_re)
    block = b"one\nnone of\none\n1 " + b"=" * 300 + b"\nNONE\n" + ("失败" * 40 + "\n").encode("gbk")
    spans = lines_of(block)
    assert Search([Pattern(text, literal=False)]).spans(block) == [spans[line] for line in lines]


@pytest.mark.parametrize("text", [r"(?x) ^ o n e  # one", r"^(?#comment)one$", r"^on\B.$", "one\udcff?$"])
def test_what_it_does_not_know_is_found_by_re(text: str) -> None:
    assert Search([Pattern(text, literal=False)]).spans(b"one\nNONE\none") == [(0, 4), (9, 12)]


def test_of_what_is_in_nearly_every_line_hyperscan_reports_no_more_than_re_finds_in_that_time() -> None:
    block = b"\n" * 200_000 + b" \n"
    search = compiled(Pattern(r"\s", literal=False))
    known, _ = database([search], [Pattern(r"\s", literal=False)], Reported.NEXT_LINE)
    assert known is not None
    assert known.reports(block) is None
    assert known.reports(b"some words\n" * 1000) == [(11 * number, 0) for number in range(1, 1001)]
    assert Search([Pattern(r"\s", literal=False)]).spans(block) == [(200_000, 200_002)]
