"""Logs are merged in the order of time, each in its own order."""

from __future__ import annotations

import random
from collections.abc import Iterator
from heapq import merge

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.merge import Chunk, merged

Entry = tuple[str, tuple[int, int]]
logs_of_chunks = st.lists(
    st.lists(st.sampled_from(["", "1", "2", "20", "21", "3", "30"]), max_size=12).map(sorted), max_size=5
)


def chunks(number: int, keys: list[str], cuts: random.Random) -> Iterator[Chunk[tuple[int, int]]]:
    """A log in chunks of any sizes."""
    position = 0
    while position < len(keys):
        size = cuts.randint(0, 4)
        yield (
            keys[position : position + size],
            [(number, index) for index in range(position, position + size)][: len(keys) - position],
        )
        position += size


@given(logs_of_chunks, st.randoms(use_true_random=False))
def test_what_comes_out_is_what_sorting_everything_gives(logs: list[list[str]], cuts: random.Random) -> None:
    everything = [(key, (log, index)) for log, keys in enumerate(logs) for index, key in enumerate(keys)]
    came = [
        entry
        for keys, items in merged([chunks(number, keys, cuts) for number, keys in enumerate(logs)])
        for entry in zip(keys, items, strict=True)
    ]
    assert came == sorted(everything)


@pytest.mark.parametrize("logs", [1, 64, 65, 300])
def test_thousands_of_logs_are_merged_as_few_are(logs: int) -> None:
    cuts = random.Random(logs)
    keys = [sorted(f"{cuts.randint(0, 999):03d}" for _ in range(20)) for _ in range(logs)]
    expected = list(merge(*([(key, (n, i)) for i, key in enumerate(its)] for n, its in enumerate(keys))))
    came = [
        entry
        for its, items in merged([chunks(number, its, cuts) for number, its in enumerate(keys)])
        for entry in zip(its, items, strict=True)
    ]
    assert came == expected


def test_a_log_is_not_read_further_than_needed() -> None:
    read: list[int] = []

    def log(number: int) -> Iterator[Chunk[str]]:
        for turn in range(3):
            read.append(number)
            yield [f"{number}{turn}"], [f"{number}{turn}"]

    first = next(merged([log(1), log(2)]))
    assert first == (["10"], ["10"])
    assert read == [1, 2]
