"""What else is looked for in the one pass over each log that rules are looked for in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from launcher.logs.record import LogFile

if TYPE_CHECKING:
    from launcher.logs.scan import Match


class Watch(Protocol):
    """Is given every line that holds one of its texts."""

    @property
    def texts(self) -> tuple[str, ...]:
        """What it looks for; the same for all of its type."""
        ...

    def take(self, file: LogFile, line: Match, texts: frozenset[int]) -> None:
        """Take a line in which these are, as indices of `texts`."""
        ...


def shared(file: LogFile, matches: Iterable[Match], rules: int, watch: Watch) -> Iterator[Match]:
    """Give a watch its lines, and go on with those in which the first `rules` patterns were found."""
    parts: dict[frozenset[int], tuple[frozenset[int], frozenset[int]]] = {}  # in a storm all lines have the same
    for match in matches:
        found = parts.get(match.patterns)
        if found is None:
            own = frozenset(index for index in match.patterns if index < rules)
            found = parts[match.patterns] = own, frozenset(index - rules for index in match.patterns - own)
        own, texts = found
        if not texts:
            yield match
            continue
        watch.take(file, match, texts)
        if own:
            yield match._replace(patterns=own)
