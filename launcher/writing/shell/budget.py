"""How much text the words of a script may come to: `x=$x$x` in a loop is more than any machine holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from launcher.errors import SpecError
from launcher.writing.shell.pieces import Piece

if TYPE_CHECKING:
    from tree_sitter import Node

_LARGEST: Final = 1_000_000  # characters of a value
_MOST: Final = 30_000_000  # characters of all values on the way
_PER_WORD: Final = 64  # characters that one more word counts as


class Budget:
    """Counts the characters of all words of a script."""

    def __init__(self) -> None:
        self._spent = 0

    def measured(self, pieces: Iterator[Piece], node: Node) -> Iterator[Piece]:
        """The pieces of the word that `node` is. Raises SpecError when it, or all so far, come to too much."""
        length = 0
        for piece in pieces:
            length += _PER_WORD if piece is None else len(piece[0])
            self._refuse_beyond(_LARGEST, length, node)
            yield piece
        self._spent += length
        self._refuse_beyond(_MOST, self._spent, node)

    def refuse_product(self, text: str, replacement: str, node: Node) -> None:
        """Raise SpecError when a replacement, in place of each character of a text, would come to too much."""
        self._refuse_beyond(_MOST, len(text) * len(replacement), node)

    @staticmethod
    def _refuse_beyond(most: int, length: int, node: Node) -> None:
        if length > most:
            what = "has a value" if most == _LARGEST else "has values, in all,"
            raise SpecError(f"{what} larger than {most // 1_000_000} MB", where=f"line {node.start_point[0] + 1}")
