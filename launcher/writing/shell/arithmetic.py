"""Whole numbers as the shell reckons: `$((...))`, `((...))`, `for ((...))`."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from launcher.writing.shell.parsing import source

if TYPE_CHECKING:
    from tree_sitter import Node

_LARGEST: Final = 1 << 63
_BASED: Final = re.compile(r"([0-9]+)#([0-9A-Za-z]+)")


class NotKnown(Exception):
    """The number depends on something that only a running script would know."""


def _divided(left: int, right: int) -> int:
    """Towards zero, as C does."""
    if right == 0:
        raise NotKnown
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _power(left: int, right: int) -> int:
    if not 0 <= right <= 63:
        raise NotKnown
    return int(left**right)


def _shifted(left: int, right: int) -> int:
    if not 0 <= right <= 63:
        raise NotKnown
    return left << right


_OPERATORS: Final[Mapping[str, Callable[[int, int], int]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
    "%": lambda left, right: left - _divided(left, right) * right,
    "**": _power,
    "<<": _shifted,
    ">>": lambda left, right: left >> max(right, 0),
    "&": operator.and_,
    "|": operator.or_,
    "^": operator.xor,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
    "!=": operator.ne,
    "&&": lambda left, right: bool(left) and bool(right),
    "||": lambda left, right: bool(left) or bool(right),
}
_EXPANSIONS: Final = ("simple_expansion", "expansion", "command_substitution", "arithmetic_expansion", "string")


@dataclass(frozen=True)
class Arithmetic:
    """Reckons with variables: how they are read and set, and how `$...` within is expanded."""

    get: Callable[[str], str]
    put: Callable[[str, str], None]
    expand: Callable[[Node], str]

    def number(self, node: Node) -> int:
        """The value of an expression. Raises NotKnown."""
        kind = node.type
        if kind in _EXPANSIONS:
            return as_number(self.expand(node))
        if kind == "number":
            return as_number(source(node))
        if kind in ("variable_name", "word"):
            return self._named(source(node))
        if kind in ("parenthesized_expression", "compound_statement", "arithmetic_expansion_body"):
            return self.last(node.named_children)
        if kind in ("binary_expression", "variable_assignment"):
            return self._binary(node)
        if kind in ("unary_expression", "prefix_expression", "postfix_expression"):
            return self._unary(node)
        if kind == "ternary_expression":
            condition, then, otherwise = node.named_children
            return self.number(then if self.number(condition) else otherwise)
        raise NotKnown

    def last(self, nodes: list[Node]) -> int:
        """The value of the last of several expressions, all of which are reckoned; 0 of none."""
        return [self.number(node) for node in nodes][-1] if nodes else 0

    def _named(self, name: str) -> int:
        if name[:1].isdigit():
            return as_number(name)
        return as_number(self.get(name) or "0")

    def _binary(self, node: Node) -> int:
        left, sign, right = node.children[0], source(node.children[1]), node.children[-1]
        if sign in ("&&", "||"):
            first = bool(self.number(left))
            return int(bool(self.number(right)) if first == (sign == "&&") else first)
        if sign in _OPERATORS:
            return _held(int(_OPERATORS[sign](self.number(left), self.number(right))))
        if not sign.endswith("="):
            raise NotKnown
        value = self.number(right)
        if sign != "=":
            if sign[:-1] not in _OPERATORS:
                raise NotKnown
            value = _held(int(_OPERATORS[sign[:-1]](self.number(left), value)))
        self.put(source(left), str(value))
        return value

    def _unary(self, node: Node) -> int:
        before, after = source(node.children[0]), source(node.children[-1])
        name = node.named_children[0]
        value = self.number(name)
        for sign, step in (("++", 1), ("--", -1)):
            if sign in (before, after):
                self.put(source(name), str(value + step))
                return value + step if before == sign else value
        return {"-": -value, "+": value, "!": int(not value), "~": ~value}[before]


def as_number(text: str) -> int:
    """A number as the shell reads it: decimal, 0x.., 0.. or base#... Raises NotKnown."""
    text = text.strip()
    try:
        if based := _BASED.fullmatch(text):
            return _held(int(based.group(2), int(based.group(1))))
        if re.fullmatch(r"[+-]?0[0-7]+", text):
            return _held(int(text, 8))
        return _held(int(text, 16 if text.lower().startswith("0x") else 10))
    except ValueError:
        raise NotKnown from None


def _held(value: int) -> int:
    if abs(value) >= _LARGEST:
        raise NotKnown
    return value
