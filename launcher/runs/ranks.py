"""Sets of ranks in words."""

from __future__ import annotations

from collections.abc import Iterable


def rank_list(ranks: Iterable[int]) -> str:
    """`0-3,7`."""
    spans: list[list[int]] = []
    for rank in sorted(ranks):
        if spans and rank == spans[-1][1] + 1:
            spans[-1][1] = rank
        else:
            spans.append([rank, rank])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in spans)


def ranks_phrase(ranks: Iterable[int]) -> str:
    """`rank 3`, `ranks 0-3,7`."""
    members = sorted(ranks)
    return f"rank {members[0]}" if len(members) == 1 else f"ranks {rank_list(members)}"
