"""A diagnosis as it is kept, printed as JSON and shown: one document, which a newer npu-launch reads too."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class Place(_Part):
    """Where something broke, as far as it is known."""

    rank: int | None
    host: str | None
    device: int | None = Field(description="The device's number on its host.")


class Line(_Part):
    """A line of a log."""

    file: str = Field(description="Path of the log below the run's folder, or the one that was given.")
    line: int = Field(description="Counted from 1.")
    text: str


class Follower(_Part):
    """A rank that failed because of the root."""

    rank: int | None
    cause: str
    host: str | None = None
    device: int | None = None


class Dropped(_Part):
    """What was considered as the root and is not."""

    rank: int | None
    host: str | None
    cause: str
    why: str
    evidence: Line | None


class Found(_Part):
    """What one rule found at one place."""

    cause: str
    category: str
    role: str = Field(description="root_candidate, cascade, confirmation or noise.")
    rule: str
    confidence: str
    rank: int | None
    host: str | None
    device: int | None
    time: float | None = Field(description="Seconds since the epoch, by the clock of the host that wrote it.")
    evidence: tuple[Line, ...]
    extracted: dict[str, str] = Field(description="What the rule read out of the text.")


class Proposed(_Part):
    """A change that mends the cause."""

    number: int = Field(description="Counted from 1: `npu-launch rerun --fix` takes it.")
    id: str
    title: str
    title_zh: str
    kind: Literal["set", "env", "upgrade", "command", "edit"]
    change: dict[str, str]
    why: str
    why_zh: str
    overrides: tuple[str, ...] = Field(default=(), description="The changes of the recipe, as `--set` takes them.")
    words: str = Field(default="", description="The same for people: `args.batch_size 32 -> 16`.")
    refused: str = Field(default="", description="Why the run cannot make the change by itself.")


class Again(_Part):
    """Whether the same run again may succeed as it is."""

    helps: bool | None = Field(description="null: nobody can say.")
    why: str
    why_zh: str


class Amount(_Part):
    """How much was read."""

    files: int
    bytes: int
    ranks: int


class Subject(_Part):
    """What was diagnosed: an attempt of a run, or logs from anywhere."""

    kind: Literal["run", "logs"]
    name: str = Field(description="The run's id; a path; - for standard input.")
    attempt: int | None = None


class Verdict(_Part):
    """What broke first, why, what followed from it, and what mends it."""

    version: Literal[1] = 1
    subject: Subject
    healthy: bool = Field(description="No fault was found.")
    cause: str | None = Field(description="null when healthy; unknown when something failed and no rule says why.")
    category: str | None
    confidence: Literal["high", "medium", "low"] | None = Field(
        description="How often such an answer is right: docs/diagnosis.md."
    )
    title: str = Field(description="The cause in a few words.")
    title_zh: str
    root: Place | None
    order: str | None = Field(description="first, or cannot order: others may have failed as early.")
    also: tuple[int, ...] = Field(description="Ranks that show the same and cannot be ordered against the root.")
    why: str = Field(description="How the rank was found.")
    explanation: str
    explanation_zh: str
    evidence: tuple[Line, ...] = Field(
        description="The line that shows it first; for an unknown cause those that good runs do not have, and that one "
        "rank alone says."
    )
    cascade: tuple[Follower, ...]
    considered: tuple[Dropped, ...]
    findings: tuple[Found, ...]
    suggestions: tuple[Proposed, ...]
    retry: Again | None
    counts: Amount
    notes: tuple[str, ...]

    @property
    def is_known(self) -> bool:
        """Whether a fault was found, and why it came about."""
        return self.category is not None

    def suggestion(self, number: int) -> Proposed | None:
        """The suggestion with this number."""
        return next((each for each in self.suggestions if each.number == number), None)


def verdict_schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of what `npu-launch diagnose --json` prints."""
    from launcher.specs.schema import schema_of

    return schema_of(Verdict, "Diagnosis by npu-launch")
