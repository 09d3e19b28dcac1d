"""Reads a Slurm node list, the text of SLURM_JOB_NODELIST: `node[001-003,007],gpu1`."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.errors import SpecError
from launcher.hosts.importing.given import Named
from launcher.specs.host_patterns import BadPattern, expand


def read_node_list(text: str, where: str) -> Iterator[Named]:
    """The hosts of a node list. Raises SpecError with the line and column where it begins."""
    pattern = text.strip()
    before = text[: text.find(pattern)] if pattern else ""
    place = f"{where}:{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"
    if not pattern:
        raise SpecError("is empty", where=where, expected="a node list such as node[001-064]")
    try:
        names = expand(pattern)
    except BadPattern as bad:
        shown = pattern if len(pattern) <= 60 else f"{pattern[:57]}..."
        raise SpecError(f"is {shown!r}, which {bad}", where=place, expected="as in node[001-003,007],gpu1") from None
    return (Named(name, place) for name in names)
