"""What a rule looks for in a text: a phrase as it stands, or a regular expression."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from launcher.diagnose.required import is_telling, required

_LEARNT: Final[dict[str, tuple[str, ...]]] = {}
_EXPRESSION: Final = re.compile(r"/(.*)/(i?)", re.DOTALL)


class Found(NamedTuple):
    """Where in a text it begins, and what its named groups hold."""

    begin: int
    groups: Mapping[str, str]


@dataclass(frozen=True)
class Wanted:
    """A phrase (`device out of memory`), or an expression between slashes (`/rank ?\\[(?P<rank>\\d+)\\]/`, `/.../i`).

    `texts` are those of which one stands in whatever is found, in any case of letters where `ignore_case` is set; there
    are none where a scanner would point at too many lines. `expression` is None for a phrase.
    """

    written: str
    expression: str | None = None
    ignore_case: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        if self.expression is not None:
            return _texts_of(self.expression)
        return (self.written,) if is_telling(self.written) and "\n" not in self.written else ()

    def find(self, text: str) -> Found | None:
        """Its first place in a text; `^` and `$` are the ends of lines. Raises ValueError for a wrong expression."""
        if self.expression is None:
            begin = text.find(self.written)
            return None if begin < 0 else Found(begin, {})
        match = _compiled(self.expression, self.ignore_case).search(text)
        if match is None:
            return None
        return Found(match.start(), {name: value for name, value in match.groupdict().items() if value is not None})

    def names(self) -> frozenset[str]:
        """What it reads out of a text. Raises ValueError for a wrong expression."""
        return frozenset(_compiled(self.expression, self.ignore_case).groupindex) if self.expression else frozenset()


def wanted(written: str) -> Wanted:
    """Read a pattern as a rule has it."""
    slashes = _EXPRESSION.fullmatch(written)
    return Wanted(written) if slashes is None else Wanted(written, slashes[1], bool(slashes[2]))


def learn(texts: Mapping[str, Sequence[str]]) -> None:
    """Take over the texts of expressions that `learnt` told another process, which spares the work of finding them."""
    _LEARNT.update({expression: tuple(found) for expression, found in texts.items()})


def learnt() -> Mapping[str, Sequence[str]]:
    """The texts of all expressions that were asked for theirs."""
    return _LEARNT


def _texts_of(expression: str) -> tuple[str, ...]:
    if expression not in _LEARNT:
        _LEARNT[expression] = required(expression)
    return _LEARNT[expression]


@lru_cache(maxsize=4096)
def _compiled(expression: str, ignore_case: bool) -> re.Pattern[str]:
    try:
        return re.compile(expression, re.MULTILINE | (re.IGNORECASE if ignore_case else re.RegexFlag(0)))
    except re.error as error:
        raise ValueError(f"is no regular expression: {error}") from None
