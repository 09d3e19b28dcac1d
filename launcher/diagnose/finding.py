"""What one rule found at one place of one log, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from launcher.logs.record import LogFile


class Category(str, Enum):
    """The groups that causes fall into."""

    MEMORY = "memory"
    COMMUNICATION = "communication"
    OPERATOR = "operator"
    SOFTWARE_STACK = "software_stack"
    ENVIRONMENT = "environment"
    HARDWARE = "hardware"
    DATA = "data"
    PRECISION = "precision"
    PERFORMANCE = "performance"
    USER_CODE = "user_code"
    SCHEDULER = "scheduler"
    NONE = "none"


class Role(str, Enum):
    """What a finding can be in the story of a failure."""

    ROOT_CANDIDATE = "root_candidate"  # may be what broke first
    CASCADE = "cascade"  # follows from something that broke elsewhere; the cause only where nothing else is found
    CONFIRMATION = "confirmation"  # says that something failed, and no more
    NOISE = "noise"  # looks like a fault and is none


class Confidence(str, Enum):
    """How often a cause of this confidence is right, as measured: see docs/rules.md."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True)
class Evidence:
    """A line that shows something: `file` is the log's name, `line` counts from 1."""

    file: str
    line: int
    text: str


@dataclass(frozen=True)
class Finding:
    """That a rule holds of a record.

    The first evidence is the line that shows it. `extracted` has what the rule read out of the text (sizes in the unit
    its name ends in, kernels, ranks, addresses). `time` is in seconds since the epoch by the clock of the host that
    wrote it. `rank`, `host` and `device` are what the line says, else what is known of the file. `weight` tells how
    near to a root the sentence is, 0 to 100: of two findings of one role in one log, the heavier is the better cause.
    """

    cause: str
    category: Category
    role: Role
    rule: str
    confidence: Confidence
    weight: int
    evidence: tuple[Evidence, ...]
    extracted: Mapping[str, str]
    file: LogFile
    time: float | None = None
    rank: int | None = None
    host: str | None = None
    device: int | None = None

    @property
    def line(self) -> int:
        """Where in its file it was found, from 1."""
        return self.evidence[0].line
