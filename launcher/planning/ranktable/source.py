"""A JSON text as values, and where in the text a value stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

from launcher.planning.ranktable.violation import Path

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


class RepeatedKeys(dict[str, Any]):
    """An object whose text gives a key more than once; the last one counts."""


class NotJson(Exception):
    """The text is no JSON: why, and where (from 1)."""

    def __init__(self, reason: str, line: int, column: int, *, has_comment: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.line, self.column, self.has_comment = reason, line, column, has_comment


def parse(text: str) -> Any:
    """The values of a JSON text, by the grammar of RFC 8259. Raises NotJson."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        at = error.pos + len(text[error.pos :]) - len(text[error.pos :].lstrip())
        if text.startswith(("//", "/*", "#"), at):
            raise NotJson("a comment", *_lines(text, {(): at})[()], has_comment=True) from None
        raise NotJson(f"{error.msg[0].lower()}{error.msg[1:]}", error.lineno, error.colno) from None
    except RecursionError:
        raise NotJson("it is nested too deep", 1, 1) from None
    except ValueError as error:  # a number of more digits than Python takes, or NaN
        raise NotJson(str(error).partition(";")[0], 1, 1) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    return values if len(values) == len(pairs) else RepeatedKeys(values)


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is no JSON number")


def places(text: str, wanted: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """Line and column, from 1, of the values at these paths, in one pass over a text that is JSON.

    A path that is not there has the place of the object or list that would hold it.
    """
    paths = set(wanted)
    if not paths:
        return {}
    offsets = _offsets(text, {path[:end] for path in paths for end in range(len(path) + 1)})
    found = {path: next(offsets[at] for at in _upwards(path) if at in offsets) for path in paths}
    return _lines(text, found)


def _upwards(path: Path) -> Iterable[Path]:
    return (path[:end] for end in range(len(path), -1, -1))


def _offsets(text: str, wanted: set[Path]) -> dict[Path, int]:
    """Where the wanted paths begin. Below a value that is not wanted nothing is: its path is not worked out."""
    found: dict[Path, int] = {}
    here: list[Path | None] = []  # the path of each open object or list; None where nothing below is wanted
    steps: list[str | int | None] = []  # the key or position that comes next in it
    for token in _TOKEN.finditer(text):
        sign = text[token.start()]
        if sign in "}]":
            here.pop()
            steps.pop()
        elif sign == ",":
            step = steps[-1]
            steps[-1] = step + 1 if isinstance(step, int) else None
        elif sign == ":":
            continue
        elif steps and steps[-1] is None:  # a key
            steps[-1] = json.loads(token[0])
        else:
            above, step = (here[-1], steps[-1]) if steps else ((), None)
            path = above if above is None or step is None else (*above, step)
            if path is not None and path in wanted:
                found[path] = token.start()
            else:
                path = None
            if sign in "{[":
                here.append(path)
                steps.append(0 if sign == "[" else None)
    return found


def _lines(text: str, offsets: dict[Path, int]) -> dict[Path, tuple[int, int]]:
    """Offsets as line and column, counting the lines once."""
    result: dict[Path, tuple[int, int]] = {}
    line, begin, at = 1, 0, 0
    for path, offset in sorted(offsets.items(), key=lambda item: item[1]):
        line += text.count("\n", at, offset)
        begin = max(begin, text.rfind("\n", at, offset) + 1)
        at = offset
        result[path] = (line, offset - begin + 1)
    return result
