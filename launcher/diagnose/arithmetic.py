"""Conditions on the numbers that a rule read out of a text: `free < tried / 2`."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_OPERATIONS: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: Final[Mapping[type[ast.cmpop], Callable[[float, float], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}
_UNITS: Final = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_QUANTITY: Final = re.compile(
    r"(?P<number>0x[0-9a-f]+|[-+]?[0-9][0-9,]*(?:\.[0-9]+)?(?:e[-+]?[0-9]+)?) ?(?:(?P<unit>[kmgt])(?:i?b)?|bytes?|b)?",
    re.IGNORECASE,
)


def quantity(text: str) -> float | None:
    """The number that a text says, sizes in bytes (`5.03 GiB`, `26GB`, `0x10`, `1,024`); None where it says none."""
    match = _QUANTITY.fullmatch(text.strip())
    if match is None:
        return None
    number = match["number"].replace(",", "")
    value = float(int(number, 16)) if number[:2].lower() == "0x" else float(number)
    return value * _UNITS[match["unit"].lower()] if match["unit"] else value


def names(condition: str) -> frozenset[str]:
    """What a condition speaks of. Raises ValueError for a text that is no condition."""
    return frozenset(node.id for node in ast.walk(_parsed(condition)) if isinstance(node, ast.Name))


def holds(condition: str, extracted: Mapping[str, str]) -> bool:
    """Whether a condition is true of what was read; not where a number it speaks of is missing or is none."""
    numbers = {name: number for name in extracted if (number := quantity(extracted[name])) is not None}
    try:
        return _compared(_parsed(condition), numbers)
    except (KeyError, ZeroDivisionError):
        return False


def _parsed(condition: str) -> ast.Compare:
    """A comparison of sums and products of names and numbers."""
    try:
        tree = ast.parse(condition, mode="eval").body
    except SyntaxError:
        raise ValueError("is no comparison") from None
    if not isinstance(tree, ast.Compare) or any(type(each) not in _COMPARISONS for each in tree.ops):
        raise ValueError("is no comparison")
    for side in (tree.left, *tree.comparators):
        _check(side)
    return tree


def _check(side: ast.expr) -> None:
    match side:
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _OPERATIONS:
            _check(left)
            _check(right)
        case ast.Name() | ast.Constant(value=int() | float()):
            return
        case _:
            raise ValueError("compares something else than sums and products of names and numbers")


def _compared(tree: ast.Compare, numbers: Mapping[str, float]) -> bool:
    sides = [_value(side, numbers) for side in (tree.left, *tree.comparators)]
    pairs = zip(tree.ops, sides, sides[1:], strict=False)
    return all(_COMPARISONS[type(comparison)](left, right) for comparison, left, right in pairs)


def _value(side: Any, numbers: Mapping[str, float]) -> float:
    match side:
        case ast.BinOp(left=left, op=operation, right=right):
            return _OPERATIONS[type(operation)](_value(left, numbers), _value(right, numbers))
        case ast.Name(id=name):
            return numbers[name]
    return float(side.value)
