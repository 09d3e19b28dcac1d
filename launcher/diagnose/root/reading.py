"""The facts of logs, read in the same pass as findings."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from launcher.diagnose.finding import Evidence
from launcher.diagnose.root.facts import Fact, Seen
from launcher.diagnose.root.lines import KINDS, read_line
from launcher.logs.record import LogFile

if TYPE_CHECKING:
    from launcher.logs.grammar import Clock
    from launcher.logs.scan import Match

MOST_ALIKE: Final = 256
"""Lines of a kind that are read in one file: the first ones, so that a storm costs no more."""

_TEXTS: Final = tuple(kind.text for kind in KINDS)


class FactReader:
    """Collects the facts of the logs that are scanned; a watch of `matching.find`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.facts: list[Fact] = []
        self._clock = clock
        self._seen: Counter[tuple[str, int]] = Counter()
        self._enough: set[tuple[str, frozenset[int]]] = set()

    @property
    def texts(self) -> tuple[str, ...]:
        """What stands in the lines that tell facts."""
        return _TEXTS

    def take(self, file: LogFile, line: Match, texts: frozenset[int]) -> None:
        """Read the facts of a line that holds these of `texts`."""
        from launcher.logs.grammar import Clock, Reader

        if (file.name, texts) in self._enough:
            return
        kinds = [kind for kind in sorted(texts) if self._seen[file.name, kind] < MOST_ALIKE]
        if not kinds:
            self._enough.add((file.name, texts))
            return
        self._seen.update((file.name, kind) for kind in kinds)
        reader = Reader(self._clock or Clock())
        for record in (*reader.feed(line.line), *reader.finish()):
            seen = Seen(
                file,
                Evidence(file.name, line.number, record.text.strip()),
                record.time,
                file.rank if record.rank is None else record.rank,
                file.pid if record.pid is None else record.pid,
            )
            self.facts += read_line(kinds, record.text, seen)
