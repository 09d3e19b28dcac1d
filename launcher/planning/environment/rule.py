"""A breach of a rule on variables that have to fit together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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
