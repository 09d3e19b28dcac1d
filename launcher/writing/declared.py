"""The options that a training script declares, as far as its text tells; it is read, never run."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_FLAG_ACTIONS: Final = frozenset({"store_true", "store_false", "store_const", "append_const", "count"})
_DEFINES: Final = ("DEFINE_bool", "DEFINE_boolean")  # absl's, and TensorFlow's


@dataclass(frozen=True)
class Declared:
    """Names of options, without dashes: those that take no value, and those that take one."""

    flags: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()


def declared_in(text: str) -> Declared:
    """The options of argparse and absl in a Python text; none in one that is no Python."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return Declared()
    found = {True: set[str](), False: set[str]()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            found[_is_flag(node)].update(_names(node))
    return Declared(frozenset(found[True]), frozenset(found[False] - found[True]))


def _called(call: ast.Call) -> str:
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")


def _names(call: ast.Call) -> Iterator[str]:
    texts = [each.value for each in call.args if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    if _called(call) == "add_argument":
        yield from (text.lstrip("-") for text in texts if text.startswith("--"))
    elif _called(call).startswith("DEFINE_"):
        yield from texts[:1]


def _is_flag(call: ast.Call) -> bool:
    actions = [each.value for each in call.keywords if each.arg == "action"]
    return _called(call) in _DEFINES or any(
        getattr(action, "value", None) in _FLAG_ACTIONS or getattr(action, "attr", "") == "BooleanOptionalAction"
        for action in actions
    )
