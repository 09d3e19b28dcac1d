"""Which logs of a run are wanted, with what the record knows about their times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from launcher.logs.record import LogFile, Source
from launcher.logs.stamps import Correction
from launcher.logs.whole import Log, Part

_ORDER = tuple(Source)


@dataclass(frozen=True)
class Choice:
    """Logs from these sources, and only of these ranks and hosts where any are named."""

    sources: frozenset[Source] = frozenset({Source.STDOUT})
    ranks: frozenset[int] | None = None
    hosts: frozenset[str] | None = None

    def includes(self, file: LogFile) -> bool:
        """Whether a file is wanted."""
        if self.ranks is not None and file.rank not in self.ranks:
            return False
        return file.source in self.sources and (self.hosts is None or file.host in self.hosts)


def logs_of(parts: Iterable[Part], begun: Mapping[int, float], corrections: Mapping[str, Correction]) -> list[Log]:
    """The logs that these files are parts of, in the order in which ranks, hosts and sources are shown.

    `begun` says when each attempt began.
    """
    in_order = sorted(parts, key=lambda part: (*_place(part.file), *_same(part.file), part.file.part))
    return [
        Log(tuple(its), begun.get(attempt), corrections.get(host))
        for (_, attempt, host), its in groupby(in_order, key=lambda part: _same(part.file))
    ]


def _same(file: LogFile) -> tuple[str, int, str]:
    return file.stream or file.name, file.attempt or 0, file.host or ""


def _place(file: LogFile) -> tuple[int, int, bool, int, str]:
    rank = -1 if file.rank is None else file.rank
    return file.attempt or 0, _ORDER.index(file.source), file.rank is None, rank, file.host or ""
