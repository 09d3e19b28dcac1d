"""One form of line, and the numbers in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass

from launcher.logs.metrics.observations import Observation

FLOAT = r"[-+]?(?:\d[\d_]*\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?|[nN][aA][nN]|[iI]nf)"
INT = r"\d{1,18}"
_MOST = 1e18


@dataclass(frozen=True)
class Grammar:
    """One form of line: every such line holds one of the `markers`, which are looked for first because it is quick."""

    markers: tuple[str, ...]
    read: Callable[[str], Observation | None]


def by_pattern(marker: str, pattern: str, value: Callable[[re.Match[str]], Observation | None]) -> Grammar:
    """A grammar of one pattern."""
    compiled = re.compile(pattern)

    def read(text: str) -> Observation | None:
        match = compiled.search(text)
        return None if match is None else value(match)

    return Grammar((marker,), read)


def countable(number: float | None) -> float | None:
    """A number of steps or epochs as there may be; None for one that cannot be, and for none."""
    return number if number is not None and 0 <= number < _MOST else None


def printed_dict(text: str) -> dict[str, float] | None:
    """The numbers by name in a dict as Python prints it; None for anything else, and for values that are no numbers."""
    try:
        tree = ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    if not isinstance(tree, ast.Dict):
        return None
    numbers = {}
    for key, node in zip(tree.keys, tree.values, strict=True):
        value = _number(node)
        if not isinstance(key, ast.Constant) or not isinstance(key.value, str) or value is None:
            return None
        numbers[key.value] = value
    return numbers


def _number(node: ast.expr) -> float | None:
    """A number in a printed dict: also a bare name (`nan`), wrapped (`np.float32(0.5)`), or in quotes."""
    match node:
        case ast.Constant(value=bool()):
            return None
        case ast.Constant(value=float() as number):
            return number
        case ast.Constant(value=int() as count) if count.bit_length() < 64:
            return float(count)
        case ast.Constant(value=str() as text) if re.fullmatch(FLOAT, text):
            return float(text)
        case ast.Name(id="nan" | "inf" as name):
            return float(name)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _number(operand)
            return None if value is None else -value
        case ast.Call(args=[argument], keywords=[]):
            return _number(argument)
        case _:
            return None
