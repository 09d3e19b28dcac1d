"""What the ranks of a plan have in common, and the pattern in what they have not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

from launcher.planning.model import RankProcess

_NUMBER = re.compile(r"(\d+)")

_OWN_NUMBERS: Final[tuple[tuple[str, Callable[[RankProcess], object]], ...]] = (
    ("{rank}", lambda rank: rank.rank),
    ("{local_rank}", lambda rank: rank.local_rank),
    ("{device}", lambda rank: rank.device),
)


def shared_environment(ranks: Sequence[RankProcess]) -> dict[str, str]:
    """The variables that have one value on all ranks."""
    shared = set(ranks[0].env.items()).intersection(*(rank.env.items() for rank in ranks[1:]))
    return {name: value for name, value in ranks[0].env.items() if (name, value) in shared}


def pattern(texts: Sequence[str], ranks: Sequence[RankProcess]) -> str | None:
    """One text that stands for those of all ranks, such as `ranks/{rank}/work`; None when they follow no pattern."""
    if len(set(texts)) == 1:
        return texts[0]
    split = [_NUMBER.split(text) for text in texts]
    if len({len(parts) for parts in split}) > 1:
        return None
    found: list[str] = []
    for column in zip(*split, strict=True):
        words = (word for word, own in _OWN_NUMBERS if list(column) == [str(own(rank)) for rank in ranks])
        word = column[0] if len(set(column)) == 1 else next(words, None)
        if word is None:
            return None
        found.append(word)
    return "".join(found)
