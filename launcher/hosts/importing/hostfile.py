"""Reads a hostfile, as OpenMPI, MPICH and DeepSpeed have them: `node1 slots=8`, `node1:8`, `node1`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from launcher.errors import SpecError
from launcher.hosts.importing.given import Named

_COUNT = re.compile(r"[0-9]{1,4}", re.ASCII)
_BESIDE = ("max_slots", "max-slots")  # of OpenMPI: no device more
_EXPECTED = "a line such as `node1 slots=8`, `node1:8` or `node1`"


def read_hostfile(text: str, where: str) -> Iterator[Named]:
    """The hosts of a hostfile; slots are devices. Raises SpecError with the line and column of what is no host."""
    for number, line in enumerate(text.splitlines(), 1):
        words = [(match.group(), match.start() + 1) for match in re.finditer(r"\S+", without_comment(line))]
        if words:
            yield _host(words, f"{where}:{number}")


def without_comment(line: str) -> str:
    """A line up to its `#`."""
    return line.partition("#")[0]


def _host(words: list[tuple[str, int]], line: str) -> Named:
    (first, column), *rest = words
    name, colon, count = first.partition(":")
    slots = _slots(count, first, f"{line}:{column}") if colon else None
    for word, at in rest:
        key, equals, value = word.partition("=")
        place = f"{line}:{at}"
        if key in _BESIDE:
            continue
        if key != "slots" or not equals:
            raise SpecError(f"has {word!r} after the host", where=place, expected=_EXPECTED)
        if slots is not None:
            raise SpecError(f"gives {name} slots a second time", where=place, remedy="remove one")
        slots = _slots(value, word, place)
    return Named(name, f"{line}:{column}", slots)


def _slots(count: str, word: str, place: str) -> int:
    if not _COUNT.fullmatch(count) or not 1 <= int(count) <= 1024:
        raise SpecError(f"has {word!r}", where=place, expected=f"{_EXPECTED}, with 1 to 1024 devices")
    return int(count)
