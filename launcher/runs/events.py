"""What can happen in a run, as values; `events.jsonl` holds one of them a line and is the truth."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError


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
    """A plan was handed to the hosts: for all ranks, or for those that are run again."""

    type: Literal["attempt_started"] = "attempt_started"
    attempt: int
    ranks: tuple[int, ...]
    resume_from: str | None = None


class SupervisorChanged(_Event):
    """Another process has taken the run's record over and decides from now on."""

    type: Literal["supervisor_changed"] = "supervisor_changed"
    by: Literal["keeper", "ray"]
    pid: int


class ProcessStarted(_Event):
    """A rank (or a service such as MindSpore's scheduler, then `rank` is None) runs."""

    type: Literal["process_started"] = "process_started"
    attempt: int
    name: str
    rank: int | None = None
    pid: int


class ProcessExited(_Event):
    """A process ended. `code` is its exit code, or minus the signal that killed it.

    `stopped` says that npu-launch had told it to stop before; `error` is set when it could not be executed at all.
    """

    type: Literal["process_exited"] = "process_exited"
    attempt: int
    name: str
    rank: int | None = None
    pid: int
    code: int
    stopped: bool = False
    error: str | None = None
    max_rss_kib: int | None = None


class GangStopping(_Event):
    """The shim has told the attempt's remaining processes on its host to stop."""

    type: Literal["gang_stopping"] = "gang_stopping"
    attempt: int
    reason: str


class HostIdle(_Event):
    """No process of the attempt is left on the host, children of ranks included."""

    type: Literal["host_idle"] = "host_idle"
    attempt: int


class ShimLost(_Event):
    """The shim of a host ended without being asked to; its ranks ended with it."""

    type: Literal["shim_lost"] = "shim_lost"
    attempt: int


class StopRequested(_Event):
    """Somebody asked for the run to end."""

    type: Literal["stop_requested"] = "stop_requested"
    by: str


class Decided(_Event):
    """What the policy answered to the state, with the reason in a sentence."""

    type: Literal["decided"] = "decided"
    decision: str
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
    | ProcessStarted
    | ProcessExited
    | GangStopping
    | HostIdle
    | ShimLost
    | StopRequested
    | Decided
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


def encode(event: Event) -> bytes:
    """One line of the record, newline included."""
    return event.model_dump_json(exclude_none=True).encode() + b"\n"
