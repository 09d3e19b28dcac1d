"""Texts with placeholders, looked through once and then filled for each of many ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from launcher.specs.placeholders import fill, used


class Stencils:
    """Several texts, each behind a prefix that is taken as it stands; what all ranks share is filled in once."""

    def __init__(self, texts: Iterable[tuple[str, str]], shared: Mapping[str, str]) -> None:
        self._texts: list[str] = []
        self._open: list[tuple[int, str, str]] = []
        for place, (prefix, text) in enumerate(texts):
            is_shared = shared.keys() >= set(used(text))
            self._texts.append(prefix + (fill(text, shared) if is_shared else text))
            if not is_shared:
                self._open.append((place, prefix, text))

    @property
    def are_shared(self) -> bool:
        """Whether all texts are the same for all ranks."""
        return not self._open

    def filled(self, words: Mapping[str, str]) -> list[str]:
        """The texts, in order, for the rank that has these words."""
        texts = self._texts.copy()
        for place, prefix, text in self._open:
            texts[place] = prefix + fill(text, words)
        return texts
