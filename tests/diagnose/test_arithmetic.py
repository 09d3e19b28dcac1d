"""Conditions on numbers that were read out of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.diagnose.arithmetic import holds, names, quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5.03 GiB", 5.03 * (1 << 30)),
        ("22.00 MiB", 22 << 20),
        ("26GB", 26 << 30),
        ("1,024", 1024),
        ("2147483648B", 2147483648),
        ("0x10", 16),
        ("1e-3", 0.001),
        ("unknown", None),
        ("", None),
    ],
)
def test_sizes_are_read_in_bytes(text: str, value: float | None) -> None:
    assert quantity(text) == value


def test_a_condition_compares_what_was_read() -> None:
    read = {"tried": "2 GiB", "free": "512 MiB", "name": "Conv2D"}
    assert holds("free < tried / 2", read)
    assert holds("0 < free * 4 <= tried", read)
    assert not holds("free - tried >= 0", read)


def test_what_is_missing_or_no_number_fulfils_nothing() -> None:
    assert not holds("size > 0", {})
    assert not holds("name > 0", {"name": "Conv2D"})
    assert not holds("a / b > 0", {"a": "1", "b": "0"})


@pytest.mark.parametrize("text", ["", "free", "free <", "free < open('x')", "free in tried", "free < 'x'", "lambda: 1"])
def test_only_comparisons_of_sums_and_products_are_conditions(text: str) -> None:
    with pytest.raises(ValueError, match="compar"):
        names(text)


@given(st.text(max_size=40))
def test_no_text_is_evaluated_as_a_program(text: str) -> None:
    try:
        names(text)
    except ValueError:
        return
    holds(text, {})
