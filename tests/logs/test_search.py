"""A search finds the lines that `re` finds, by whatever way it goes."""

from __future__ import annotations

import sys
from io import BytesIO
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs.pattern import Pattern
from launcher.logs.search import Search
from tests.logs.patterns import BLOCKS, PATTERNS, expected

EACH = [Search([pattern]) for pattern in PATTERNS]
KNOWN = [index for index, pattern in enumerate(PATTERNS) if pattern.literal or pattern.text in ("a+b", r"q$", "[^q]")]
SOME = st.lists(st.sampled_from(KNOWN), min_size=1, max_size=4, unique=True)


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
@given(BLOCKS, SOME, st.booleans())
def test_a_line_in_which_several_patterns_are_is_found_once(block: bytes, some: list[int], only_texts: bool) -> None:
    chosen = [index for index in some if PATTERNS[index].literal] if only_texts else some
    numbers = {number for index, number in expected(block) if index in chosen}
    spans = [span for number, span in enumerate(lines_of(block)) if number in numbers]
    if chosen:
        patterns = [PATTERNS[index] for index in chosen]
        assert Search(patterns).spans(block) == Search(patterns, quick=False).spans(block) == spans


def test_a_machine_without_hyperscan_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "hyperscan", None)
    assert Search([Pattern("one"), Pattern("t.o", literal=False)]).spans(b"two\nthree\none\n") == [(0, 4), (10, 14)]


@pytest.mark.parametrize("text", ["a", "a+", "[a ]", "a.*a"])
def test_a_long_line_that_is_full_of_it_is_found_once(text: str) -> None:
    block = b"a " * 2_000_000 + b"\nb\n" + b"a a" * 1_000_000
    search = Search([Pattern(text, literal=False)])
    assert search.spans(block) == [(0, 4_000_001), (4_000_003, 7_000_003)]


@pytest.mark.parametrize("text", [r"(?x) on e  # one", r"(?i)ONE", r"one|two", r"(?P<a>o)ne", r"on\b.", r"\bone$"])
def test_flags_and_groups_end_where_the_expression_does(text: str) -> None:
    block = b"one\nnone of\none\n"
    search, slow = (Search([Pattern(text, literal=False)], quick=quick) for quick in (True, False))
    assert search.spans(block) == slow.spans(block)
