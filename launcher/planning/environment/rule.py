"""Breaches of rules on variables that have to fit together, and on the parts of one variable."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from launcher.planning.environment.values import Values
from launcher.specs.nearest import nearest

_BETWEEN_PARTS: Final = re.compile(r",(?![^\[\]]*\])")


@dataclass(frozen=True)
class Breach:
    """Variables that do not go together, what is expected of them, and who says so.

    Where `is_certain` is false, the maker's documentation does not say so plainly, or such a job runs all the same: it
    is warned of and not refused.
    """

    names: tuple[str, ...]
    what: str
    expected: str
    source: str
    is_certain: bool = True


def is_set(env: Mapping[str, str], name: str) -> bool:
    """Whether a variable is there and not empty."""
    return bool(env.get(name))


def parts_of(text: str) -> list[tuple[str, str]]:
    """The `key:value` parts of a value, which have commas between; readers skip blanks, and brackets hold commas."""
    parts = (part.partition(":") for part in _BETWEEN_PARTS.split(text) if part.strip())
    return [(key.strip(), value.strip()) for key, _, value in parts]


def breaches_of_parts(env: Mapping[str, str], name: str, known: Mapping[str, Values], source: str) -> Iterator[Breach]:
    """What is wrong with the `key:value` parts of a variable, if it is set.

    A key that is not known is warned of only, for newer versions add some, and so is one that is there twice.
    """
    parts = parts_of(env.get(name, ""))
    for key, value in parts:
        values = known.get(key)
        if not value:
            yield Breach((name,), f"{name} has {key!r} without a value", "key:value parts", source)
        elif values is None:
            close = nearest(key, known)
            meant = f"; did you mean {close}?" if close else ""
            expected = f"one of {', '.join(known)}"
            yield Breach((name,), f"{name} has the unknown key {key!r}{meant}", expected, source, is_certain=False)
        elif not values.accepts(value):
            yield Breach((name,), f"{name} has {key}:{value}", f"{key}: {values.words}", source)
    if len(dict(parts)) < len(parts):
        yield Breach((name,), f"{name} names a key twice", "each key once", source, is_certain=False)
