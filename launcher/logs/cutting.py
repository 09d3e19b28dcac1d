"""What of a file that is too long is kept: its head, its first errors, its tail; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

SUFFIX = ".cut"  # of a file's name, so that nobody takes it for whole


class Span(NamedTuple):
    """Bytes of a file that are kept."""

    offset: int
    length: int


class Gap(NamedTuple):
    """Bytes of a file that are left out; a sentence says so in their place."""

    offset: int
    length: int


Part = Span | Gap


def note(gap: Gap, place: str | None) -> bytes:
    """What a cut file has in the place of a gap. `place` says where the whole file lies; None: nowhere any more."""
    rest = "nothing has them any more" if place is None else f"{place} has them"
    said = f"[npu-launch left out {gap.length} bytes here, from byte {gap.offset} on; {rest}]"
    return b"\n" + said.encode("utf-8", "surrogateescape") + b"\n"


def cut(size: int, most: int, errors: Iterable[tuple[int, int]], place: str | None) -> tuple[Part, ...]:
    """The parts of a file in order, all of it: what is kept, with a note for each gap, takes `most` bytes at most.

    `errors` are places of errors in the file (from, to), in order. An eighth is for the head, half for the tail, the
    rest for as many errors from the first on as it holds; what they leave goes to the tail. A file of which not even a
    note could be kept is one gap.
    """
    if size <= most:
        return (Span(0, size),)
    price = len(note(Gap(size, size), place))
    room = most - price
    if room <= 0:
        return (Gap(0, size),)
    head, tail = room // 8, size - room // 2
    left = room - head - (size - tail)
    kept = [(0, head)]
    for begin, end in errors:
        begin = max(begin, kept[-1][1])
        end = min(end, tail, begin + left - price)
        if begin < end:
            kept.append((begin, end))
            left -= end - begin + price
    kept.append((max(kept[-1][1], tail - left), size))
    return tuple(_parts(_joined(kept, price)))


def room_for_errors(most: int) -> int:
    """How many bytes of errors, at most, a file that is cut to so many bytes can have."""
    return most - most // 8 - most // 2


def cut_size(parts: Sequence[Part], place: str | None) -> int:
    """Bytes of the cut file; none of a file that is all gap, which is not made."""
    if not any(isinstance(part, Span) for part in parts):
        return 0
    return sum(part.length if isinstance(part, Span) else len(note(part, place)) for part in parts)


def _joined(kept: Sequence[tuple[int, int]], price: int) -> list[tuple[int, int]]:
    """Spans, where those become one between which less is left out than a note takes."""
    joined = [kept[0]]
    for begin, end in kept[1:]:
        if begin - joined[-1][1] <= price:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


def _parts(kept: Iterable[tuple[int, int]]) -> Iterable[Part]:
    at = 0
    for begin, end in kept:
        if begin > at:
            yield Gap(at, begin - at)
        if end > begin:
            yield Span(begin, end - begin)
        at = end
