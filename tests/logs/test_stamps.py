"""Keys say what the grammars say, and sort as times do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.grammar import level_of, stamp_of
from launcher.logs.grave import grave
from launcher.logs.record import Level
from launcher.logs.stamps import Correction, key_of, key_of_line, keys_of, time_of

CAPTURES = Path(__file__).parents[1] / "captures" / "logs"
TIMES = st.floats(1_500_000_000, 2_500_000_000)


def captured() -> Iterator[bytes]:
    """Every line of the captures that is text."""
    for path in sorted(CAPTURES.rglob("*.log")) + sorted(CAPTURES.rglob("*.txt")):
        yield from path.read_bytes().splitlines()


@given(TIMES, TIMES)
def test_keys_are_sorted_as_times_are(one: float, other: float) -> None:
    assert (key_of(one) < key_of(other)) == (round(one * 1e6) < round(other * 1e6))
    assert time_of(key_of(one)) == pytest.approx(one, abs=2e-6)


def test_each_captured_line_has_the_time_that_the_grammars_give_it() -> None:
    lines = list(captured())
    assert len(lines) > 100
    keys = keys_of(b"".join(line + b"\n" for line in lines))
    assert len(keys) == len(lines)
    for line, key in zip(lines, keys, strict=True):
        stamp = stamp_of(line)
        assert (time_of(key) if key else None) == (None if stamp is None else pytest.approx(stamp, abs=2e-6)), line


HEADS = st.sampled_from(
    [
        *(b"[INFO] GE(1,py):", b"[INFO]GE(-1,py): ", b"[INFO] GE(1,py", b"[INFO] GE(1,py): (x):", b"at (x):", b"["),
        *(b"", b"x ", b"[rank1]: [ERROR] HCCL(1,py):"),
    ]
)
STAMPS = st.sampled_from(
    [
        *(b"2026-01-02-03:04:05.678.901", b"2026-91-02-03:04:05.678.901", b"2026-01-02-03:04:05.678"),
        *(b"20260102030405.67890123", b"2026-01-02 03:04:05,678", b"2026-01-02-03:04:05-678:901", b"3:04", b""),
    ]
)
TAILS = st.sampled_from(
    [b" [a.cc:1] x", b" +0800 x", b" -1 x", b" 7 x", b"] x", b" ", b"", b" x 2026-01-02-03:04:05.678.901", b"Z x"]
)
LINES = st.lists(st.tuples(HEADS, STAMPS, TAILS).map(b"".join), min_size=1, max_size=12)


@given(LINES, st.booleans(), st.sampled_from([None, lambda when: when + 60]))
def test_a_line_has_the_same_key_in_a_block_as_by_itself(
    lines: list[bytes], is_ended: bool, correction: Correction | None
) -> None:
    block = b"\n".join([*lines, b""] if is_ended else [*lines, b"[INFO] GE(1,py):2026-01-02-03:04:05.678.901 x"])
    expected = [key_of_line(line, correction) for line in block.removesuffix(b"\n").split(b"\n")]
    first = b"[INFO] GE(1,py):2026-01-02-03:04:05.678.901 x\n"
    for large in (0, 1 << 13):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("launcher.logs.stamps._LARGE", large)
            assert keys_of(block, correction) == expected
            assert keys_of(first + block, correction)[1:] == expected


def test_no_grave_line_is_passed_over() -> None:
    for line in captured():
        if (level_of(line) or Level.DEBUG) >= Level.WARNING:
            assert grave().spans(line) == [(0, len(line))], line


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (b"[INFO] HCCL(1,py):2026-01-02-03:04:05.678.901 [a.cc:1] x", "20260102030405678901"),
        (b"[ERROR] DEVICE(1,ffff4e,python):2026-01-02-03:04:05.678.901 [a.cc:1] X] y", "20260102030405678901"),
        (b"2026-01-02 03:04:05,678 - INFO - x", "20260102030405678"),
        (b"[2026-01-02 03:04:05] x", "20260102030405"),
        (b"epoch: 1 step: 2, loss is 3", ""),
        (b"", ""),
    ],
)
def test_stamps_stand_where_programs_put_them(line: bytes, key: str) -> None:
    assert keys_of(line + b"\n") == [key]
    assert keys_of(line + b"\n" + line) == ([key, key] if line else [""])
    shifted = keys_of(line + b"\n", lambda when: when + 60)
    assert [time_of(each) - 60 for each in shifted if each] == pytest.approx([time_of(key)] if key else [], abs=2e-6)


def test_a_stamp_with_a_zone_is_a_time_of_that_zone() -> None:
    there, here = keys_of(b"2026-01-02T03:04:05.678+08:00 x\n2026-01-01T19:04:05.678Z y\n")
    assert there == here != ""
