"""The answer to who failed first, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from launcher.diagnose.finding import Category, Confidence, Evidence, Finding

UNKNOWN = "unknown"
"""The cause where something failed and no rule and no fact says why."""


class Order(str, Enum):
    """Whether it is known that nothing failed before the root did."""

    FIRST = "first"
    CANNOT_ORDER = "cannot order"  # the times of several candidates lie within what their hosts' clocks may differ


class Cascade(NamedTuple):
    """A rank that failed because of the root, and what it said; None where a log is of no known rank."""

    rank: int | None
    cause: str
    host: str | None = None
    device: int | None = None


class Considered(NamedTuple):
    """A candidate that was dropped, and why, in words that go on after its name ("waited for rank 3")."""

    rank: int | None
    cause: str
    why: str
    evidence: Evidence | None = None
    host: str | None = None


@dataclass(frozen=True)
class RootCause:
    """What broke first, on which rank, and what followed from it.

    `rank`, `host` and `device` are None where they are not known, or where the cause is of no single rank. `category`
    is None for an unknown cause. `evidence` has the line that shows it first; a rank without any log is shown by the
    lines of those that asked for it. `also` are further ranks that show the same and cannot be ordered against it.
    `finding` is what a rule found, None where the cause follows from facts over several ranks. `why` tells in a
    sentence how the rank was found.
    """

    cause: str
    category: Category | None
    confidence: Confidence
    rank: int | None = None
    host: str | None = None
    device: int | None = None
    evidence: tuple[Evidence, ...] = ()
    cascade: tuple[Cascade, ...] = ()
    considered: tuple[Considered, ...] = ()
    order: Order = Order.FIRST
    also: tuple[int, ...] = ()
    why: str = ""
    finding: Finding | None = None
