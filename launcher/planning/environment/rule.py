"""Breaches of rules on variables that have to fit together, and on the parts of one variable."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from launcher.planning.environment.values import Values
from launcher.specs.nearest import nearest


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


def breaches_of_parts(name: str, text: str, known: Mapping[str, Values], source: str) -> Iterator[Breach]:
    """What is wrong with the `key:value` parts of a variable, which have commas between.

    A key that is not known is warned of only: newer versions add some.
    """
    parts = [part.partition(":") for part in text.split(",")]
    for key, _, value in parts:
        values = known.get(key)
        if values is None:
            close = nearest(key, known)
            meant = f"; did you mean {close}?" if close else ""
            expected = f"one of {', '.join(known)}"
            yield Breach((name,), f"{name} has the unknown key {key!r}{meant}", expected, source, is_certain=False)
        elif not values.accepts(value):
            yield Breach((name,), f"{name} has {key}:{value}", f"{key}: {values.words}", source)
    if len({key for key, _, _ in parts}) < len(parts):
        yield Breach((name,), f"{name} names a key twice", "each key once", source)
