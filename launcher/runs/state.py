"""What is known of a run: its attempts, ranks and hosts, as values."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from enum import Enum

from immutables import Map

from launcher.errors import ExitCode
from launcher.runs.events import (
    Cause,
    Classified,
    Decided,
    Diagnosed,
    FaultSeen,
    HangFound,
    Note,
    Progressed,
    Slot,
    StragglerFound,
    SupervisorChanged,
    TroubleFound,
)


class RunPhase(str, Enum):
    """Where a run stands; the last five are final until a rerun."""

    CREATED = "created"
    RUNNING = "running"
    STOPPING = "stopping"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    GAVE_UP = "gave_up"
    LOST = "lost"

    @property
    def ended(self) -> bool:
        return self not in (RunPhase.CREATED, RunPhase.RUNNING, RunPhase.STOPPING)

    @property
    def exit_code(self) -> ExitCode:
        """The exit status of the command that waited for the run."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    RunPhase.CREATED: ExitCode.INFRASTRUCTURE,
    RunPhase.RUNNING: ExitCode.INFRASTRUCTURE,
    RunPhase.STOPPING: ExitCode.INFRASTRUCTURE,
    RunPhase.SUCCEEDED: ExitCode.OK,
    RunPhase.FAILED: ExitCode.JOB_FAILED,
    RunPhase.STOPPED: ExitCode.INTERRUPTED,
    RunPhase.GAVE_UP: ExitCode.GAVE_UP,
    RunPhase.LOST: ExitCode.INFRASTRUCTURE,
}


class RankPhase(str, Enum):
    """Where a rank stands in the attempt that ran it last."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"
    LOST = "lost"


@dataclass(frozen=True)
class Exit:
    """How a process ended: its code, or minus a signal's number; `error` when it never executed.

    `oom` is what the kernel said when it killed the process for want of memory.
    """

    code: int
    time: float
    error: str | None = None
    oom: str | None = None

    def __str__(self) -> str:
        if self.error:
            return self.error
        if self.oom:
            return f"killed by the kernel for want of memory ({self.oom})"
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return f"killed by {signal.Signals(-self.code).name}"
        except ValueError:
            return f"killed by signal {-self.code}"


@dataclass(frozen=True)
class RankState:
    """One rank: `attempt` is the one that ran it last, `failure` what was found about its exit.

    `ended` is when it ended, or was found lost.
    """

    rank: int
    phase: RankPhase = RankPhase.WAITING
    attempt: int = 0
    host: str | None = None
    slot: int | None = None
    pid: int | None = None
    started: float | None = None
    ended: float | None = None
    exit: Exit | None = None
    failure: Classified | None = None
    max_rss_kib: int | None = None


@dataclass(frozen=True)
class AttemptState:
    """One attempt: it starts ranks on `hosts`, and `busy_hosts` still hold processes of it.

    One that starts some ranks again beside the others takes over all that run: it has ended when they have.

    The ranks of a gang on several hosts may not start before it is `released`, which it is when all its hosts are among
    `ready_hosts`. Any other attempt is from the beginning.

    `first_failure` failed before any other rank. `lost_host` is the first on which ranks ended that had not failed, and
    that the supervisor had not told to stop; on `expired_hosts` they were stopped because it was not heard of.

    `metrics` are the recipe's patterns for the lines of its ranks. `resume_from` is the checkpoint that all of them go
    on from, `own_checkpoints` those that independent ranks do, each from its own.

    `restarts` counts those before it since somebody last started the run, or started it again, those that applied a fix
    apart. `high_water` is the
    most steps that an attempt before it had done. The times are those at which the last rank had started, the first
    rank failed (or the ranks came to a standstill), the stop began, and nothing was left. `stopping_hosts` are stopping
    what they run, of themselves or because the supervisor has `told_to_stop` them all. `answer_to` is the decision that
    began the attempt, None when a person did; `failure` is what was found about the first failure, `diagnosed` what all
    logs say. `run_ended` is when the run ended with this attempt, None as well when nobody was there to see it.
    """

    number: int
    ranks: tuple[int, ...]
    started: float
    resume_from: str | None = None
    own_checkpoints: tuple[str, ...] = ()
    restarts: int = 0
    max_restarts: int | None = None
    gang: bool = True
    metrics: tuple[str, ...] = ()
    answer_to: Decided | None = None
    high_water: int = 0
    hosts: frozenset[str] = frozenset()
    busy_hosts: frozenset[str] = frozenset()
    ready_hosts: frozenset[str] = frozenset()
    released: bool = True
    launched: float | None = None
    first_step: Progressed | None = None
    caught_up: Progressed | None = None
    last_step: Progressed | None = None
    first_failure: int | None = None
    failure: Classified | None = None
    diagnosed: Diagnosed | None = None
    lost_host: str | None = None
    expired_hosts: frozenset[str] = frozenset()
    hang: HangFound | None = None
    failed: float | None = None
    stopping: str | None = None
    stopping_since: float | None = None
    stopping_hosts: frozenset[str] = frozenset()
    told_to_stop: bool = False
    ended: float | None = None
    run_ended: float | None = None

    @property
    def unready_hosts(self) -> frozenset[str]:
        """The hosts for which the ranks of the others wait, or waited in vain."""
        return frozenset() if self.released else self.hosts - self.ready_hosts

    @property
    def made_progress(self) -> bool:
        """Whether it did a step that no attempt before it had done."""
        return self.last_step is not None and self.last_step.step > self.high_water


class Reach(str, Enum):
    """Whether a host answers: "cannot reach" says nothing about what runs there."""

    SUSPECTED = "suspected"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class HostState:
    """A host that does not answer, since when it was last heard (None while it is only suspected)."""

    reach: Reach
    heard: float | None = None


@dataclass(frozen=True)
class RunState:
    """A whole run. `seen` is the number of the last event taken from each host.

    `pending` is a restart that was decided and has not begun, `dead_end` why none can begin any more. `spent` are the
    restarts used up per class of cause, `blamed` the failures per slot that may be the slot's own, `excluded` the slots
    that are not used any more: these four begin anew when somebody starts the run again. `by_phase` and `running_on`
    are indexes of `ranks`, the latter by host; `unclassified` are those that failed and whose failure has not been
    looked at.
    """

    run: str = ""
    name: str = ""
    framework: str = ""
    target: str = ""
    world_size: int = 0
    hosts: tuple[str, ...] = ()
    phase: RunPhase = RunPhase.CREATED
    reason: str = ""
    created: float = 0.0
    ended: float | None = None
    attempts: tuple[AttemptState, ...] = ()
    ranks: Map[int, RankState] = Map()  # noqa: RUF009 - immutable
    by_phase: Map[RankPhase, Map[int, None]] = Map()  # noqa: RUF009
    running_on: Map[str, frozenset[int]] = Map()  # noqa: RUF009
    unclassified: Map[int, None] = Map()  # noqa: RUF009
    stop_requested_by: str | None = None
    pending: Decided | None = None
    dead_end: str | None = None
    spent: Map[Cause, int] = Map()  # noqa: RUF009
    blamed: Map[Slot, int] = Map()  # noqa: RUF009
    excluded: frozenset[Slot] = frozenset()
    unwell_hosts: Map[str, HostState] = Map()  # noqa: RUF009
    stragglers: tuple[StragglerFound, ...] = ()
    troubles: tuple[TroubleFound, ...] = ()
    faults: tuple[FaultSeen, ...] = ()
    supervisor: SupervisorChanged | None = None
    notes: tuple[Note, ...] = ()
    seen: Map[str, int] = Map()  # noqa: RUF009

    @property
    def attempt(self) -> AttemptState | None:
        """The current attempt, or the last one."""
        return self.attempts[-1] if self.attempts else None

    @property
    def metrics(self) -> tuple[str, ...]:
        """The recipe's patterns for the lines of its ranks."""
        return self.attempts[-1].metrics if self.attempts else ()

    def count(self, phase: RankPhase) -> int:
        """How many ranks are in this phase."""
        return len(self.by_phase.get(phase, ()))

    def ranks_in(self, phase: RankPhase) -> tuple[int, ...]:
        """The ranks in this phase, in order."""
        return tuple(sorted(self.by_phase.get(phase, ())))

    @property
    def first_failure(self) -> RankState | None:
        """The rank that failed first in the last attempt in which one did; None once it has been started again."""
        for attempt in reversed(self.attempts):
            if attempt.first_failure is not None:
                rank = self.ranks.get(attempt.first_failure)
                return rank if rank is not None and rank.phase is RankPhase.FAILED else None
        return None
