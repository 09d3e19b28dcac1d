"""A file that is cut keeps its head, its first errors and its tail, within the cap, and says what is missing."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.cutting import Gap, Part, Span, cut, cut_size, note

PLACE = "node-1:/runs/a/stdout.log"
PRICE = len(note(Gap(10**7, 10**7), PLACE))


@st.composite
def errors(draw: st.DrawFn, size: int) -> list[tuple[int, int]]:
    places = draw(st.lists(st.tuples(st.integers(0, size), st.integers(1, 3000)), max_size=20))
    return [(begin, min(begin + length, size)) for begin, length in sorted(places)]


@st.composite
def files(draw: st.DrawFn) -> tuple[int, int, list[tuple[int, int]]]:
    size = draw(st.integers(0, 100_000))
    return size, draw(st.integers(0, 120_000)), draw(errors(size))


def composed(content: bytes, parts: tuple[Part, ...]) -> bytes:
    pieces = [content[p.offset : p.offset + p.length] if isinstance(p, Span) else note(p, PLACE) for p in parts]
    return b"".join(pieces) if any(isinstance(part, Span) for part in parts) else b""


@given(files())
def test_it_is_never_more_than_the_cap(file: tuple[int, int, list[tuple[int, int]]]) -> None:
    size, most, places = file
    parts = cut(size, most, places, PLACE)
    assert len(composed(bytes(size), parts)) == cut_size(parts, PLACE) <= most


@given(files())
def test_the_parts_are_the_whole_file_in_order(file: tuple[int, int, list[tuple[int, int]]]) -> None:
    size, most, places = file
    at = 0
    for part in cut(size, most, places, PLACE):
        assert part.offset == at
        at += part.length
    assert at == size


@given(files())
def test_head_and_tail_and_the_first_error_are_there(file: tuple[int, int, list[tuple[int, int]]]) -> None:
    size, most, places = file
    most += 2 * PRICE
    parts = cut(size, most, places, PLACE)
    kept = {at for part in parts if isinstance(part, Span) for at in range(part.offset, part.offset + part.length)}
    assert set(range(min(size, (most - PRICE) // 8))) <= kept
    assert set(range(max(0, size - (most - PRICE) // 2), size)) <= kept
    if most > 8 * PRICE and size:
        begin, end = next(((b, e) for b, e in places if e > b), (0, 0))
        room = (most - PRICE) * 3 // 8 - PRICE - 1
        assert set(range(begin, min(end, begin + room))) <= kept


@given(files())
def test_what_is_left_out_is_said_in_its_place(file: tuple[int, int, list[tuple[int, int]]]) -> None:
    size, most, places = file
    parts = cut(size, most, places, PLACE)
    said = composed(b"x" * size, parts)
    left_out = sum(int(count) for count in re.findall(rb"left out (\d+) bytes", said))
    if said:
        assert said.count(b"x") - len(re.findall(rb"npu-launch left.*x", said)) + left_out == size
        assert left_out == 0 or b"node-1:/runs/a/stdout.log has them" in said
    else:
        assert size == 0 or all(isinstance(part, Gap) for part in parts)
