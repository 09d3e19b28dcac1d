"""Lines that many ranks write, or one rank again and again with other numbers, shown once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from launcher.logs.grammar import normalised

_KINDS: Final = 2000  # that are held back together
_LINES: Final = 20_000

# Numbers that say what happened: codes of CANN and torch_npu, what is called a code, and what is no number.
_TELLING: Final = re.compile(
    r"\b(?:[EWI][A-Z0-9]\d{4}|ERR\d{5})\b"
    r"|(?i:\b(?:nan|inf(?:inity)?)\b)"
    r"|(?i:(?:code|errno|ret|signal|status|exception)\w*\W{0,6}(?:is\W{1,3})?(?:0x[0-9a-f]+|-?\d+))"
)


@dataclass
class Alike:
    """Lines that differ only in numbers and in who wrote them: the first of them, who wrote any, and how many."""

    first: str
    ranks: set[int] = field(default_factory=set)
    others: dict[str, None] = field(default_factory=dict)  # names of writers that are no rank
    count: int = 0


class Collapsing:
    """Gathers lines of a stretch of logs into kinds, in the order in which each was first seen.

    Nothing is dropped of which there is no other: lines that differ in an error code, or of which one has a NaN in
    place of a number, are of different kinds. A stretch ends when it has many kinds or lines: what is repeated much
    later is shown again, where it happened.
    """

    def __init__(self) -> None:
        self._kinds: dict[tuple[str, ...], Alike] = {}
        self._lines = 0

    def add(self, text: str, rank: int | None, name: str) -> Sequence[Alike]:
        """Take a line of a rank, or of another writer of this name; the stretch that it ends, if it does."""
        self._lines += 1
        kind = self._kinds.setdefault((normalised(text), *_TELLING.findall(text)), Alike(text))
        kind.count += 1
        if rank is None:
            kind.others[name] = None
        else:
            kind.ranks.add(rank)
        return self.finish() if self._lines >= _LINES or len(self._kinds) >= _KINDS else ()

    def finish(self) -> Sequence[Alike]:
        """What was gathered; then the next stretch begins."""
        stretch = list(self._kinds.values())
        self._kinds.clear()
        self._lines = 0
        return stretch
