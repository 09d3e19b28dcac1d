"""A pattern stands for the names it says, or is refused before any name is made."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.specs.host_patterns import BadPattern, expand

PATTERNS = {
    "node1": ("node1",),
    "node[1-3]": ("node1", "node2", "node3"),
    "node[08-11]": ("node08", "node09", "node10", "node11"),
    "node[0-1]": ("node0", "node1"),
    "node[001-002,007],gpu1": ("node001", "node002", "node007", "gpu1"),
    "10.0.0.[9-11]": ("10.0.0.9", "10.0.0.10", "10.0.0.11"),
    "r[1-2]n[1-2].lab": ("r1n1.lab", "r1n2.lab", "r2n1.lab", "r2n2.lab"),
    "[1-2]": ("1", "2"),
    " a , b[1] ": ("a", "b1"),
}


@pytest.mark.parametrize(("pattern", "names"), PATTERNS.items(), ids=PATTERNS.keys())
def test_a_pattern_stands_for_names_as_slurm_has_it(pattern: str, names: tuple[str, ...]) -> None:
    assert expand(pattern) == names


REFUSED = {
    "backwards": ("node[9-1]", "runs backwards: write 1-9"),
    "widths": ("node[001-64]", "as many digits"),
    "width of the end": ("node[1-064]", "as many digits"),
    "open": ("node[1-3", "not closed"),
    "not open": ("node1-3]", "not open"),
    "nested": ("node[[1]]", "bracket in a bracket"),
    "empty brackets": ("node[]", "nothing where a number should be"),
    "empty end": ("node[1-3,]", "nothing where a number should be"),
    "word": ("node[a-c]", "'a-c' in its brackets"),
    "blank": ("node[1 -3]", "'1 -3' in its brackets"),
    "negative": ("node[-3]", "'-3' in its brackets"),
    "other digits": ("node[٣]", "in its brackets"),
    "comma": ("a,,b", "no name beside it"),
    "comma at the end": ("a,", "no name beside it"),
    "huge": ("node[1-1000000000]", "1000000000 names, more than the 65536"),
    "huge product": ("a[1-999][1-999]", "998001 names"),
    "huge number": (f"a[1-{'9' * 30}]", "in its brackets"),
}


@pytest.mark.parametrize(("pattern", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_a_pattern_that_says_nothing_sound_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(BadPattern, match=re.escape(why)):
        expand(pattern)


@given(low=st.integers(0, 10_000), more=st.integers(0, 200), width=st.integers(1, 7))
def test_a_range_counts_up_with_its_digits(low: int, more: int, width: int) -> None:
    width = max(width, len(str(low + more)))
    names = expand(f"n[{low:0{width}}-{low + more:0{width}}]")
    assert names == tuple(f"n{number:0{width}}" for number in range(low, low + more + 1))


@given(st.text(st.sampled_from("ab01,-[] .\n"), max_size=20))
def test_any_text_is_expanded_or_refused(text: str) -> None:
    try:
        names = expand(text)
    except BadPattern:
        return
    assert names
    assert not any(set(name) & set("[],") for name in names)
