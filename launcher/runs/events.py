"""What can happen in a run, as values; `events.jsonl` holds one of them a line and is the truth."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


class Cause(str, Enum):
    """What kind of thing broke; each has a budget of restarts."""

    INFRASTRUCTURE = "infrastructure"
    DEVICE = "device"
    MEMORY = "memory"
    USER = "user"


class Trouble(str, Enum):
    """How training goes wrong although every rank runs."""

    LOSS_NOT_FINITE = "loss_not_finite"
    LOSS_EXPLODES = "loss_explodes"
    LOSS_STANDS = "loss_stands"
    SCALE_FALLS = "scale_falls"
    STEPS_SLOWER = "steps_slower"


class Slot(BaseModel):
    """A device of a host, or one of the places for processes of a host without devices; None is the whole host."""

    model_config = ConfigDict(frozen=True)

    host: str
    device: int | None = None

    def __str__(self) -> str:
        return self.host if self.device is None else f"{self.host}/{self.device}"


class _Event(BaseModel):
    """Common to all: when it was seen (seconds since the epoch), and where.

    `host_seq` numbers the events that a host's shim reported, from 1: with it an event that arrives twice counts once.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    time: float
    host: str | None = None
    host_seq: int | None = None


class RunCreated(_Event):
    """The run exists; its directory holds the resolved recipe and cluster."""

    type: Literal["run_created"] = "run_created"
    run: str
    name: str
    framework: str
    target: str
    world_size: int
    hosts: tuple[str, ...]


class AttemptStarted(_Event):
    """A plan was handed to the hosts: for all ranks, or for those that are run again.

    `world_size` is the job's from now on, and `hosts` those that the plan uses; None says that they stay the same.
    `gang` says whether the failure of one rank ends the others, `max_restarts` how often the recipe allows a restart,
    `metrics` by which patterns of the recipe the lines of its ranks are understood. `own_checkpoints` are those that
    independent ranks go on from, each from its own, in the order of ranks.
    """

    type: Literal["attempt_started"] = "attempt_started"
    attempt: int
    ranks: tuple[int, ...]
    resume_from: str | None = None
    world_size: int | None = None
    hosts: tuple[str, ...] | None = None
    gang: bool = True
    max_restarts: int | None = None
    metrics: tuple[str, ...] | None = None
    own_checkpoints: tuple[str, ...] | None = None


class SupervisorChanged(_Event):
    """Another process has taken the run's record over and decides from now on."""

    type: Literal["supervisor_changed"] = "supervisor_changed"
    by: Literal["keeper", "ray"]
    pid: int


class HostReady(_Event):
    """A host could start its part of a gang that is on several hosts, and waits until all of them can."""

    type: Literal["host_ready"] = "host_ready"
    attempt: int


class ProcessStarted(_Event):
    """A rank (or a service such as MindSpore's scheduler, then `rank` is None) runs.

    `slot` is the device that it has for itself, or its place among the processes of a host without devices.
    """

    type: Literal["process_started"] = "process_started"
    attempt: int
    name: str
    rank: int | None = None
    pid: int
    slot: int | None = None


class ProcessExited(_Event):
    """A process ended. `code` is its exit code, or minus the signal that killed it.

    `stopped` says that npu-launch had told it to stop before; `error` is set when it could not be executed at all.
    `oom` is what the kernel said when it killed the process for want of memory.
    """

    type: Literal["process_exited"] = "process_exited"
    attempt: int
    name: str
    rank: int | None = None
    pid: int
    code: int
    stopped: bool = False
    error: str | None = None
    oom: str | None = None
    max_rss_kib: int | None = None


class GangStopping(_Event):
    """The shim has told the attempt's remaining processes on its host to stop.

    `fenced` says that it did so because its lease had run out: nothing had been heard of the supervisor.
    """

    type: Literal["gang_stopping"] = "gang_stopping"
    attempt: int
    reason: str
    fenced: bool = False


class HostIdle(_Event):
    """No process of the attempt is left on the host, children of ranks included."""

    type: Literal["host_idle"] = "host_idle"
    attempt: int


class Classified(_Event):
    """What kind of failure a rank's exit was, and the line of its log that says so.

    `startup` says that the rank failed before it could train, for a reason that will be there the next time too.
    """

    type: Literal["classified"] = "classified"
    attempt: int
    rank: int
    cause: Cause
    startup: bool = False
    evidence: str | None = None


class Proposal(BaseModel):
    """A change of the recipe that a diagnosis suggests: the suggestion's name, as `--set` takes it, and in words."""

    model_config = ConfigDict(frozen=True)

    id: str
    overrides: tuple[str, ...]
    words: str


class Diagnosed(_Event):
    """What the logs of an attempt that failed say of it: the cause, the rank that broke first, and what may mend it.

    `cause` is None where no fault was found, or the diagnosis itself failed, which `words` tells. All that it came to
    is in `diagnosis.json` in the attempt's folder.
    """

    type: Literal["diagnosed"] = "diagnosed"
    attempt: int
    cause: str | None = None
    confidence: str | None = None
    rank: int | None = None
    words: str = ""
    proposals: tuple[Proposal, ...] = ()


class Progressed(_Event):
    """All ranks of the attempt had done so many steps, counted from the start of training, at this time.

    Written down when it matters, not at each step: the first, those where an attempt has made up for what the one
    before it lost, and the last.
    """

    type: Literal["progressed"] = "progressed"
    attempt: int
    step: int


class HangFound(_Event):
    """No rank has come on since `since`, for longer than `limit` seconds.

    `fatal` says that the attempt is to be stopped for it. `odd` are the ranks whose stacks differ from those of most
    others, `stacks` in words where each group of ranks is, `path` a file of the run with all stacks in full.
    """

    type: Literal["hang_found"] = "hang_found"
    attempt: int
    since: float
    limit: float
    fatal: bool
    odd: tuple[int, ...] = ()
    stacks: str = ""
    path: str | None = None

    @property
    def words(self) -> str:
        """`no rank came on for 62 s: ranks 0-2 in all_reduce (train.py:41); rank 3 in load_batch (data.py:88)`."""
        return f"no rank came on for {self.time - self.since:.0f} s{': ' if self.stacks else ''}{self.stacks}"


class StragglerFound(_Event):
    """A rank's steps take longer than the median of all ranks, again and again: `slowdown` times as long."""

    type: Literal["straggler_found"] = "straggler_found"
    attempt: int
    rank: int
    slowdown: float


class TroubleFound(_Event):
    """Training goes wrong, by what a rank's lines say: once when it begins, for the first rank that shows it.

    `line` is the line that shows it, at `offset` (bytes) of the rank's log, and `step` how many steps were done then.
    """

    type: Literal["trouble_found"] = "trouble_found"
    attempt: int
    rank: int
    kind: Trouble
    words: str
    step: int | None = None
    offset: int
    line: str


class FaultSeen(_Event):
    """A line of a log of a rank that goes on shows a fault: once for a rank and a cause in an attempt.

    `words` are the cause in a few words. `line` counts from 1 in `file`, a path below the run's directory.
    """

    type: Literal["fault_seen"] = "fault_seen"
    attempt: int
    rank: int
    cause: str
    category: str
    words: str
    file: str
    line: int
    text: str


class HostSuspected(_Event):
    """A host has not answered for some seconds."""

    type: Literal["host_suspected"] = "host_suspected"


class HostUnreachable(_Event):
    """A host has not answered for so long that it counts as lost; its ranks may well run on. `heard` is when it did."""

    type: Literal["host_unreachable"] = "host_unreachable"
    heard: float


class HostBack(_Event):
    """A host that was suspected or unreachable answers again."""

    type: Literal["host_back"] = "host_back"


class HostFenced(_Event):
    """The lease of an unreachable host has run out: its shim has ended what it ran, or was ended."""

    type: Literal["host_fenced"] = "host_fenced"
    attempt: int


class ShimLost(_Event):
    """The shim of a host ended without being asked to; its ranks ended with it."""

    type: Literal["shim_lost"] = "shim_lost"
    attempt: int


class ClockMeasured(_Event):
    """From now on the clock of the host is so many seconds behind that of the run's home (below 0: ahead).

    A host of which there is no such event has the same time, as far as that can be measured.
    """

    type: Literal["clock_measured"] = "clock_measured"
    behind: float


class StopRequested(_Event):
    """Somebody asked for the run to end."""

    type: Literal["stop_requested"] = "stop_requested"
    by: str


class Decided(_Event):
    """What the policy answered to the state, with the reason in a sentence.

    `go` lets the ranks of a gang on several hosts start, `stop` ends what runs or waits to start. A restart has more:
    what kind of failure it answers, which ranks start again (None: all), when, with how many ranks and which changes to
    the recipe, and the slots (host, device) that are not used any more from then on. `fix` names the suggestion whose
    changes these are: such a restart uses up none of what the recipe allows.
    """

    type: Literal["decided"] = "decided"
    decision: str
    reason: str
    cause: Cause | None = None
    due: float | None = None
    ranks: tuple[int, ...] | None = None
    world_size: int | None = None
    overrides: tuple[str, ...] = ()
    excluded: tuple[Slot, ...] = ()
    fix: str | None = None


class RestartFailed(_Event):
    """A restart that was decided cannot be begun, nor any other: the run ends with the ranks that run now."""

    type: Literal["restart_failed"] = "restart_failed"
    reason: str


class RunEnded(_Event):
    """The run is over, until somebody reruns it."""

    type: Literal["run_ended"] = "run_ended"
    outcome: Literal["succeeded", "failed", "stopped", "gave_up", "lost"]
    reason: str


class Note(_Event):
    """Something a person should know which changes no state."""

    type: Literal["note"] = "note"
    level: Literal["info", "warning"] = "warning"
    text: str


Event: TypeAlias = (
    RunCreated
    | AttemptStarted
    | SupervisorChanged
    | HostReady
    | ProcessStarted
    | ProcessExited
    | GangStopping
    | HostIdle
    | Classified
    | Diagnosed
    | Progressed
    | HangFound
    | StragglerFound
    | TroubleFound
    | FaultSeen
    | HostSuspected
    | HostUnreachable
    | HostBack
    | HostFenced
    | ClockMeasured
    | ShimLost
    | StopRequested
    | Decided
    | RestartFailed
    | RunEnded
    | Note
)

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="type")])


def decode(line: bytes | str) -> Event | None:
    """The event in one line of a record, or None for a line that is no event.

    A record may end in half a line after a power loss, and a newer version may have written types that this one
    does not know: neither makes the rest unreadable.
    """
    try:
        return _ADAPTER.validate_json(line)
    except ValidationError:
        return None


def corrected(event: Event, offset: float) -> Event:
    """An event of a host whose clock is `offset` seconds behind, with the time by the clock of the run's home."""
    return event.model_copy(update={"time": event.time + offset}) if offset else event


def encode(event: Event) -> bytes:
    """One line of the record, newline included."""
    return event.model_dump_json(exclude_none=True).encode() + b"\n"
