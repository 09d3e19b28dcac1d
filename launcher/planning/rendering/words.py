"""Texts of a plan as words of a script, in which what differs between ranks or is known only later is a variable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from launcher.planning.model import RankProcess
from launcher.planning.rendering.quoting import heredoc_text, shell_word

# What a script knows of the rank that it is about to start.
_OWN_NUMBERS: Final[tuple[tuple[str, Callable[[RankProcess], object]], ...]] = (
    ('"$rank"', lambda rank: rank.rank),
    ('"$local_rank"', lambda rank: rank.local_rank),
    ('"$device"', lambda rank: rank.slot),
)
_OWN_NODE: Final = '"$node"'
_OWN_ADDRESS: Final = '"$address"'


@dataclass(frozen=True)
class Cell:
    """What ranks have in one place: one word in which variables stand for what differs, or else each rank's word."""

    shared: str | None = None
    own: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Speller:
    """Writes the texts of a plan for bash.

    `later` maps texts that stand for what is not known yet to the expansions that will hold it, such as
    `198.18.100.100` to `"${addresses[0]}"`, and `marks` is the regular expression of these texts; `own_address` maps a
    host to the one of them that is its address. `places` count the hosts from 0. A script sets `rank`, `local_rank`,
    `device`, `node` and `address` before it comes to a word of `each`.
    """

    later: Mapping[str, str] = field(default_factory=dict)
    own_address: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    marks: str = ""

    def one(self, text: str) -> str:
        """The word of one text."""
        return _joined(self._word(part, is_literal) for part, is_literal in self._parts(text))

    def words(self, texts: Iterable[str]) -> str:
        """The words of several texts, in a row."""
        return " ".join(map(self.one, texts))

    def document(self, text: str) -> str:
        """A printable text for a here-document whose delimiter is not quoted."""
        return "".join(
            self.later[part].strip('"') if part in self.later else heredoc_text(part) for part, _ in self._parts(text)
        )

    def each(self, texts: Sequence[str], ranks: Sequence[RankProcess]) -> Cell:
        """The words of the texts that these ranks have in one place."""
        shared = self._shared(texts, ranks)
        if shared is not None:
            return Cell(shared)
        return Cell(own={rank.rank: self.one(text) for rank, text in zip(ranks, texts, strict=True)})

    def each_row(self, rows: Sequence[Sequence[str]], ranks: Sequence[RankProcess]) -> Cell:
        """The same for lists of texts, such as command lines."""
        if len({len(row) for row in rows}) == 1:
            words = [self._shared(column, ranks) for column in zip(*rows, strict=True)]
            if None not in words:
                return Cell(" ".join(word for word in words if word is not None))
        return Cell(own={rank.rank: self.words(row) for rank, row in zip(ranks, rows, strict=True)})

    def _shared(self, texts: Sequence[str], ranks: Sequence[RankProcess]) -> str | None:
        if len(set(texts)) == 1:
            return self.one(texts[0])
        split = [self._parts(text) for text in texts]
        if len({len(parts) for parts in split}) > 1:
            return None
        found: list[tuple[str, bool]] = []
        for column in zip(*split, strict=True):
            values = [part for part, _ in column]
            if len(set(values)) == 1:
                found.append(self._word(*column[0]))
                continue
            variable = self._variable(values, ranks)
            if variable is None:
                return None
            found.append((variable, False))
        return _joined(found)

    def _variable(self, values: list[str], ranks: Sequence[RankProcess]) -> str | None:
        for variable, number in _OWN_NUMBERS:
            if values == [str(number(rank)) for rank in ranks]:
                return variable
        if values == [str(self.places.get(rank.host)) for rank in ranks]:
            return _OWN_NODE
        return _OWN_ADDRESS if values == [self.own_address.get(rank.host) for rank in ranks] else None

    def _word(self, part: str, is_literal: bool) -> tuple[str, bool]:
        return (part, True) if is_literal or part not in self.later else (self.later[part], False)

    def _parts(self, text: str) -> list[tuple[str, bool]]:
        """The text in parts: what stands for something else and numbers (not literal), and what is between them."""
        parts = self._pattern.split(text)
        return [(part, position % 2 == 0) for position, part in enumerate(parts)]

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(rf"((?<!\d)(?:{self.marks})(?!\d)|\d+)" if self.marks else r"(\d+)")


def _joined(parts: Iterable[tuple[str, bool]]) -> str:
    """One word: literal texts are quoted together, expansions stand as they are."""
    return "".join(_words(parts)) or "''"


def _words(parts: Iterable[tuple[str, bool]]) -> Iterator[str]:
    literal = ""
    for text, is_literal in parts:
        if is_literal:
            literal += text
            continue
        if literal:
            yield shell_word(literal)
        literal = ""
        yield text
    if literal:
        yield shell_word(literal)
