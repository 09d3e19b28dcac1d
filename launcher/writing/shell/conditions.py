"""What a condition of the shell comes to: true, false, or, as None, not known before the script runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from launcher.writing.shell.arithmetic import NotKnown, as_number
from launcher.writing.shell.marks import is_known
from launcher.writing.shell.parsing import source
from launcher.writing.shell.patterns import matches
from launcher.writing.shell.words import Words

if TYPE_CHECKING:
    from tree_sitter import Node

Truth = bool | None

_NUMBERS: Final = {
    "-eq": lambda left, right: left == right,
    "-ne": lambda left, right: left != right,
    "-lt": lambda left, right: left < right,
    "-le": lambda left, right: left <= right,
    "-gt": lambda left, right: left > right,
    "-ge": lambda left, right: left >= right,
}
_OF_FILES: Final = frozenset(f"-{letter}" for letter in "abcdefghkprstuwxGLNOS")


def negated(truth: Truth) -> Truth:
    return None if truth is None else not truth


def both(left: Truth, right: Truth) -> Truth:
    if left is False or right is False:
        return False
    return None if None in (left, right) else True


def either(left: Truth, right: Truth) -> Truth:
    return negated(both(negated(left), negated(right)))


class Conditions:
    """Evaluates `[ ... ]`, `[[ ... ]]` and `((...))`."""

    def __init__(self, words: Words) -> None:
        self._words = words

    def holds(self, node: Node) -> Truth:
        """Whether a test holds."""
        opening = source(node.children[0])
        self._words.unset_is_empty = True
        try:
            if opening == "((":
                return bool(self._words.arithmetic.last(node.named_children))
            if opening == "[[":
                return self._double(node.named_children[0]) if node.named_children else False
            return tested(list(self._single(node)))
        except NotKnown:
            return None
        finally:
            self._words.unset_is_empty = False

    def _single(self, node: Node) -> Iterator[str]:
        """The words of `[ ... ]`, in order: the tree's own view of `-a` and `-o` is not to be relied on."""
        for child in node.children:
            if child.type in ("binary_expression", "unary_expression", "parenthesized_expression"):
                yield from self._single(child)
            elif child.type not in ("[", "]"):
                yield from self._words.words(child)

    def _double(self, node: Node) -> Truth:
        if node.type == "parenthesized_expression":
            return self._double(node.named_children[0])
        if node.type == "unary_expression":
            sign, operand = source(node.children[0]), node.children[-1]
            return negated(self._double(operand)) if sign == "!" else unary(sign, self._words.text(operand))
        if node.type != "binary_expression":
            return unary("-n", self._words.text(node))
        left, sign, right = node.children[0], source(node.children[1]), node.children[-1]
        if sign in ("&&", "||"):
            return (both if sign == "&&" else either)(self._double(left), self._double(right))
        is_pattern = right.type not in ("string", "raw_string")
        return binary(self._words.text(left), sign, self._words.text(right), is_pattern=is_pattern)


def tested(words: list[str]) -> Truth:
    """What `test` makes of its arguments."""
    for sign, joined in (("-o", either), ("-a", both)):
        for place in range(1, len(words) - 1):
            if words[place] == sign:
                return joined(tested(words[:place]), tested(words[place + 1 :]))
    if words[:1] == ["!"] and len(words) > 1:
        return negated(tested(words[1:]))
    if words[:1] == ["("] and words[-1:] == [")"]:
        return tested(words[1:-1])
    if len(words) == 3:
        return binary(words[0], words[1], words[2])
    if len(words) == 2:
        return unary(words[0], words[1])
    return bool(words[0]) if len(words) == 1 else (None if words else False)


def unary(sign: str, text: str) -> Truth:
    """`-n`, `-z`, and the questions about files, which nobody asks here."""
    if sign in ("-n", "-z"):
        return bool(text) == (sign == "-n")
    if sign in _OF_FILES:
        return None if text else False
    return None


def binary(left: str, sign: str, right: str, *, is_pattern: bool = False) -> Truth:
    """A comparison of two texts or numbers."""
    if sign in _NUMBERS:
        try:
            return bool(_NUMBERS[sign](as_number(left), as_number(right)))
        except NotKnown:
            return None
    if sign in ("=", "==", "!="):
        if not (is_known(left) and is_known(right)):
            return None
        equal = matches(left, right) if is_pattern else left == right
        return equal == (sign != "!=")
    if sign in ("<", ">") and is_known(left) and is_known(right):
        return left < right if sign == "<" else left > right
    return None
