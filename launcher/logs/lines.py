"""Lines of one log, taken out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from launcher.logs.record import Level


class Lines(NamedTuple):
    """Lines of one log, each with its key, its offset in the file, the level of its record, and its newline.

    Levels and offsets are there only when somebody asked for levels. The last line of a file may have no newline.
    """

    keys: list[str]
    texts: list[bytes]
    offsets: list[int]
    levels: list[Level | None]

    def between(self, first: int, last: int) -> Lines:
        """Those from the index `first` up to `last`."""
        keys, texts, offsets, levels = self
        return Lines(keys[first:last], texts[first:last], offsets[first:last], levels[first:last])

    def at(self, indices: Sequence[int]) -> Lines:
        """Those with these indices."""
        keys, texts, offsets, levels = self
        return Lines(
            [keys[index] for index in indices],
            [texts[index] for index in indices],
            [offsets[index] for index in indices] if offsets else [],
            [levels[index] for index in indices] if levels else [],
        )

    def and_then(self, more: Lines) -> Lines:
        """These, and those that follow."""
        if not self.keys:
            return more
        keys, texts, offsets, levels = more
        return Lines(self.keys + keys, self.texts + texts, self.offsets + offsets, self.levels + levels)


NO_LINES: Final = Lines([], [], [], [])
