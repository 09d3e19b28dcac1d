"""What becomes of a job whose ranks fail or come to a standstill."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

from pydantic import Field, model_validator

from launcher.specs.fields import Form, Seconds, refuse
from launcher.specs.spec import Part


class RestartPolicy(str, Enum):
    """What happens after a failure.

    `ranks` starts the failed ranks again beside the others, `group` all of them, `elastic` as many as there are still
    devices for; the latter two from the last checkpoint.
    """

    NEVER = "never"
    RANKS = "ranks"
    GROUP = "group"
    ELASTIC = "elastic"


class AutoFix(str, Enum):
    """What becomes of the changes that a diagnosis suggests."""

    OFF = "off"
    ASK = "ask"
    APPLY = "apply"


class HangPolicy(str, Enum):
    """What happens when ranks come to a standstill; `auto` stops those that had trained, and reports others."""

    AUTO = "auto"
    STOP = "stop"
    REPORT = "report"
    OFF = "off"


Restarts = Annotated[int, Field(ge=0, le=1_000_000), Form("a whole number from 0 up")]


class Budgets(Part):
    """How many restarts each class of cause may use up, of all that `max_restarts` allows; default: all of them."""

    infrastructure: Restarts | None = Field(
        default=None, description="A host or a process of npu-launch was lost, a rank was killed from outside, a hang."
    )
    device: Restarts | None = Field(default=None, description="A device reported a fault of its own.")
    memory: Restarts | None = Field(default=None, description="Host or device memory ran out.")
    user: Restarts | None = Field(default=None, description="Everything else: an exception, an exit code, a crash.")

    def of(self, cause: str) -> int | None:
        """The budget of one class, or None when `max_restarts` alone counts."""
        budget: int | None = getattr(self, cause)
        return budget


class Restart(Part):
    """What to do when the job fails."""

    policy: Annotated[RestartPolicy, Form("never, ranks, group or elastic")] = Field(
        default=RestartPolicy.NEVER,
        strict=False,
        description="never; ranks: start failed ranks again beside the others (`gang: false` only); group: stop all "
        "ranks and start them again from the last checkpoint; elastic: as group, on fewer devices when some are lost.",
    )
    max_restarts: Restarts = Field(default=0, description="How many restarts a run may use up before it gives up.")
    budgets: Annotated[Budgets, Form("a mapping of infrastructure, device, memory and user to numbers")] = Field(
        default_factory=Budgets, description="Limits per class of cause, below `max_restarts`."
    )
    backoff: Annotated[float, Field(ge=0, le=3600), Form("seconds from 0 up")] = Field(
        default=1.0,
        description="Seconds before the second restart without a new step, doubled at each further one up to a minute, "
        "give or take a quarter. The first restart waits for nothing.",
    )
    without_progress: Annotated[int, Field(ge=0, le=1_000_000), Form("a whole number from 0 up")] = Field(
        default=2, description="After so many restarts in a row without a new step the run gives up; 0: never for that."
    )
    auto_fix: Annotated[AutoFix, Form("off, ask or apply")] = Field(
        default=AutoFix.OFF,
        strict=False,
        description="What becomes of the fixes that a diagnosis suggests. off: they are shown; ask: who follows the "
        "run at a terminal is asked when it has failed; apply: the bounded ones are applied and the group starts "
        "again, beyond what `max_restarts` allows: see [Diagnosis](diagnosis.md#fixes).",
    )

    @model_validator(mode="after")
    def _is_sound(self) -> Restart:
        if self.policy is RestartPolicy.NEVER and self.max_restarts:
            raise refuse(f"is {self.max_restarts}, but the policy is never: say policy: group", "max_restarts")
        return self


class Hang(Part):
    """What counts as a standstill, and what to do about it."""

    policy: Annotated[HangPolicy, Form("auto, stop, report or off")] = Field(
        default=HangPolicy.AUTO,
        strict=False,
        description="stop: the standstill is a failure of the gang, answered as `restart` says; report: it is written "
        "down with the stacks of all ranks; auto: stop ranks that had trained and are idle now, report others; off: "
        "nobody looks.",
    )
    seconds: Annotated[float, Field(ge=1, le=86400), Form("seconds from 1 up")] = Field(
        default=60.0,
        description="How long no rank may have come on, at least; three times the usual time between two step lines "
        "when that is longer. Where the log has no step lines, silence without use of a processor counts.",
    )
    first_step: Seconds = Field(
        default=1800.0,
        description="How long ranks may be silent and idle before their first step until `stop` stops them. A graph "
        "that is compiled there in silence keeps a processor busy: that is never a standstill.",
    )
