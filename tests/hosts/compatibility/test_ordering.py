"""Versions of the Ascend software come in the order in which they were released."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.hosts.compatibility.ordering import Version, is_version, without_alpha

IN_ORDER = (
    *("5.0.4", "5.1.RC1", "5.1.RC2.alpha008", "5.1.RC2", "6.0.1.alpha001", "6.0.1", "6.3.RC2.alpha005", "6.3.RC2"),
    *("6.3.RC3", "6.3.RC3.1", "7.0.RC1", "7.0.RC1.3", "7.0.0", "8.0.RC1", "8.0.RC3", "8.0.0", "8.1.RC1"),
    *("8.2.RC1.alpha003", "8.2.RC1", "8.3.RC1", "8.5.0", "9.0.0", "9.1.0", "10.0.RC1"),
)
VERSIONS = st.from_regex(r"\A[0-9]{1,2}(\.[0-9]{1,2}|\.RC[1-9]|\.alpha00[1-9]|\.post[1-9]){0,3}\Z")


def test_candidates_and_alphas_come_before_their_releases() -> None:
    newest_first = IN_ORDER[::-1]
    assert tuple(sorted(newest_first, key=Version)) == IN_ORDER


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("24.1.rc2", "24.1.0"),
        ("23.0.rc3", "23.0.0"),
        ("23.0.7", "24.1.rc1"),
        ("2.1.0.rc1", "2.1.0"),
        ("2.1.0", "2.1.0.post3"),
        ("2.1.0.post8", "2.1.0.post10"),
        ("2.0.0-alpha", "2.0.0-rc1"),
        ("2.3.0-rc1", "2.3.0"),
    ],
)
def test_drivers_and_wheels_are_ordered_too(older: str, newer: str) -> None:
    assert Version(older) < Version(newer)
    assert not Version(newer) < Version(older)


@pytest.mark.parametrize(
    ("one", "other"), [("8.0.RC3", "8.0.rc3"), ("24.1", "24.1.0"), ("2.1.0rc1", "2.1.0.rc1"), ("2.1.0+cpu", "2.1.0")]
)
def test_the_spelling_makes_no_difference(one: str, other: str) -> None:
    assert Version(one) == Version(other)
    assert hash(Version(one)) == hash(Version(other))


@given(VERSIONS, VERSIONS, VERSIONS)
@settings(max_examples=100)
def test_the_order_is_total(a: str, b: str, c: str) -> None:
    one, two, three = sorted(map(Version, (a, b, c)))
    assert one <= two <= three
    assert one <= three
    assert (Version(a) < Version(b)) + (Version(a) == Version(b)) + (Version(b) < Version(a)) == 1


@given(st.text(max_size=120))
@settings(max_examples=100)
def test_any_text_can_be_compared(text: str) -> None:
    assert Version(text) == Version(text)
    assert isinstance(is_version(text), bool)


def test_a_number_without_end_is_no_trouble() -> None:
    assert Version("9" * 100_000) > Version("1.0")


def test_an_alpha_leads_to_its_release() -> None:
    assert without_alpha("6.3.RC2.alpha005") == "6.3.RC2"
    assert without_alpha("8.0.0") == "8.0.0"
