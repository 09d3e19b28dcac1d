"""What the ranks of a plan have in common."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.plan.model import RankProcess


def shared_environment(ranks: Sequence[RankProcess]) -> dict[str, str]:
    """The variables that have one value on all ranks."""
    first, *others = ranks
    items = set(first.env.items()).intersection(*(rank.env.items() for rank in others))
    return {name: value for name, value in first.env.items() if (name, value) in items}


def by_rank(text: str, rank: RankProcess) -> str:
    """A value of one rank as the pattern that it follows: `{rank}`, `{local_rank}`, `{device}`, `ranks/{rank}/`."""
    own = {str(rank.rank): "{rank}", str(rank.device): "{device}", str(rank.local_rank): "{local_rank}"}
    return own.get(text, text.replace(f"/ranks/{rank.rank}/", "/ranks/{rank}/"))
