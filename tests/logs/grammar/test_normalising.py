"""Lines that say the same of different things are equal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.grammar import normalised


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("rank[3] timeout[120 s]", "rank[12] timeout[1800 s]"),
        ("ptr=0xffff1c182e70", "ptr=0x12c1c0f40200"),
        ("tid fffe06ffd1e0", "tid ffff4effd1e0"),
        ("id 62576f78-70c2-11ed-b633-000132214e48", "id 1fa0b3c4-71c2-12ed-a633-000132214e4f"),
        ("server 10.0.0.8:60000", "server 192.168.100.12:60001"),
        ("loss 1.5e-05, lr 3", "loss 2.25, lr 1e-06"),
        ("/data/rank_3/ckpt-100.pt", "/data/rank_12/ckpt-2000.pt"),
        (" 16%|█▋        | 4083/25120", "  7%|▋         | 1/3"),
    ],
)
def test_lines_that_differ_only_in_numbers_are_equal(one: str, other: str) -> None:
    assert normalised(one).split() == normalised(other).split()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("loss is 2.3", "loss is nan"),
        ("read failed", "write failed"),
        ("deadbeef", "facade"),
        ("code E39999", "code EZ9999"),
    ],
)
def test_lines_that_say_something_else_are_not(one: str, other: str) -> None:
    assert normalised(one) != normalised(other)


@given(st.text(max_size=100))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)
