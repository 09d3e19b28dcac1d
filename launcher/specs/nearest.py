"""The known word that a mistyped one was most likely meant to be."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to `word`, or None when nothing comes near; case does not count."""
    from difflib import get_close_matches

    by_folded = {candidate.casefold(): candidate for candidate in reversed(tuple(known))}
    close = get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.7)
    return by_folded[close[0]] if close else None
