"""Whether two versions go together, with the source that says so and what to install if they do not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(str, Enum):
    """How far a pair of versions is known. The two inferred ones are no reason to refuse anything."""

    GOOD = "known good"
    BAD = "known bad"
    LIKELY = "inferred good"
    DOUBTFUL = "inferred bad"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Answer:
    """What is known of a pair: `why` in words, the public `source`, and the nearest pair that is known to work.

    There is no suggestion where there is nothing to mend.
    """

    verdict: Verdict
    why: str
    source: str
    suggestion: str = ""

    @property
    def is_inferred(self) -> bool:
        return self.verdict in (Verdict.LIKELY, Verdict.DOUBTFUL)
