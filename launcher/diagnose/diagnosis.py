"""What is said of a run or of a folder of logs: the root cause, all that was found, and what mends it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from launcher.diagnose.finding import Finding
from launcher.diagnose.root.cause import RootCause
from launcher.diagnose.rule import Bilingual
from launcher.diagnose.suggestion import Suggestion


class Counts(NamedTuple):
    """How much was read: logs, their text in bytes, and ranks that have one."""

    files: int
    bytes: int
    ranks: int


@dataclass(frozen=True)
class Diagnosis:
    """The outcome. `root` is None where no fault was found; `notes` are sentences on what is doubtful.

    `findings` are in the order of files and lines. `explanation` is what the cause means, `suggestions` what mends it,
    the best first.
    """

    root: RootCause | None
    findings: tuple[Finding, ...] = ()
    explanation: Bilingual | None = None
    suggestions: tuple[Suggestion, ...] = ()
    counts: Counts = field(default_factory=lambda: Counts(0, 0, 0))
    notes: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether no fault was found."""
        return self.root is None
