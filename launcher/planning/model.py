"""The launch plan: all that a launcher has to know, as one value."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_serializer

from launcher.planning.ranktable.formats import RankTable
from launcher.specs import Framework, FrozenMap
from launcher.specs.fields import ArgumentValue

Environment = FrozenMap[str, str]


class Target(str, Enum):
    """What the ranks compute on, as MindSpore's `device_target` spells it."""

    ASCEND = "Ascend"
    CPU = "CPU"


class _Value(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


class HostEnvironment(_Value):
    """What set_env.sh leaves on some hosts, the same on all of them: below what a process itself is given.

    `prepended` and `appended` are parts of path lists, which go before and after what is inherited under the name.
    """

    hosts: tuple[str, ...] = Field(min_length=1)
    files: tuple[str, ...] = Field(description="The scripts that were sourced, and folders that were added, in order.")
    variables: Environment
    prepended: Environment
    appended: Environment


class Origin(str, Enum):
    """Who gives a variable to a rank."""

    DEFAULT = "default"
    RECIPE = "recipe"
    CONTRACT = "contract"


class EnvironmentLayer(_Value):
    """Names that ranks are given by one of them; a name in a later layer takes the place of one in an earlier."""

    origin: Origin
    names: tuple[str, ...]


class RankProcess(_Value):
    """One process of the job. All paths are absolute, and the same on every host."""

    rank: int
    local_rank: int
    host: str = Field(description="Name of the host in the cluster.")
    device: int | None = Field(description="Physical device id; None on CPU.")
    device_node: str | None = Field(description="The device's file, which nobody else may have open; None on CPU.")
    slot: int = Field(description="The device's id, or on CPU the rank's place among the host's processes.")
    argv: tuple[str, ...]
    env: Environment = Field(description="Set after the names in `LaunchPlan.unset` are removed from the environment.")
    cwd: str
    log: str = Field(description="Where standard output and error go.")
    cann_log_dir: str
    cpus: tuple[int, ...] | None = Field(
        default=None, description="Processors to be bound to, as far as the host lets us; None: not bound."
    )
    combination: FrozenMap[str, ArgumentValue] = Field(
        default=FrozenMap[str, ArgumentValue](), description="What the rank of a sweep has, by dotted paths."
    )
    resume_from: str | None = Field(
        default=None, description="The checkpoint of its own that an independent rank goes on from."
    )


class ServiceProcess(_Value):
    """A process that the ranks need beside them, started before them; the job has ended when its ranks have."""

    name: str
    host: str
    argv: tuple[str, ...]
    env: Environment
    cwd: str
    log: str


class Claim(_Value):
    """What one run of a machine alone may have, a device or ports: it has it by the lock of a file (flock(2))."""

    host: str
    path: str


class Opening(_Value):
    """Ports of hosts that the others, or who launches, must be able to reach."""

    ports: str = Field(description="A port, a list of them, or a range: 19700, 22,2222, 60000-60031.")
    protocol: Literal["tcp", "udp"] = "tcp"
    on: tuple[str, ...] = Field(description="Names of the hosts that listen.")
    to: str = Field(description="What listens there.")


class Checkpoints(_Value):
    """Where a supervisor looks for the checkpoint to resume from; the same in every attempt of a run."""

    directories: tuple[str, ...] = Field(description="One, unless the recipe gives each rank its own; in rank order.")
    pattern: str
    each_its_own: bool = Field(
        default=False, description="Whether each rank goes on from the newest in its own; else all from the newest."
    )


class LaunchPlan(_Value):
    """What one attempt of a run starts, where and how; launching it needs nothing else."""

    version: Literal[1] = 1
    run: str
    name: str
    attempt: int
    framework: Framework
    target: Target
    world_size: int = Field(description="Ranks of the job; `ranks` may be fewer when only some are launched again.")
    gang: bool
    grace: float = Field(description="Seconds between SIGTERM and SIGKILL.")
    lease: float = Field(description="Seconds that ranks may run without a word from the supervisor.")
    log_limit: int | None = Field(
        default=None, description="Bytes that the log of a rank or service may take, and CANN's logs of a rank as many."
    )
    prewarm: bool = Field(description="Whether ranks are forked from a process that has imported the framework.")
    resume_from: str | None = Field(description="The checkpoint that all ranks go on from.")
    checkpoints: Checkpoints | None
    rank_table: RankTable | None = Field(description="None on CPU: a table of devices that do not exist would lie.")
    rank_table_path: str | None
    unset: tuple[str, ...] = Field(
        description="Variables of the launching shell that no process may see; removed first."
    )
    ranks: tuple[RankProcess, ...]
    services: tuple[ServiceProcess, ...]
    claims: tuple[Claim, ...] = Field(description="What a host must have before it starts processes.")

    host_environments: tuple[HostEnvironment, ...] = Field(
        default=(), description="Between what a process inherits and its own `env`; hosts that are in none have none."
    )
    openings: tuple[Opening, ...] = Field(default=(), description="What a firewall between the hosts must let through.")
    layers: tuple[EnvironmentLayer, ...] = Field(default=(), description="Where the variables of ranks come from.")
    warnings: tuple[str, ...] = Field(default=(), description="What is doubtful about the plan, as sentences.")

    @field_serializer("rank_table")
    def _as_in_its_file(self, table: RankTable | None) -> dict[str, Any] | None:
        """Without the keys that the table's file does not have."""
        return None if table is None else table.model_dump(mode="json", exclude_none=True)

    def host_environment(self, host: str) -> HostEnvironment | None:
        """What set_env.sh leaves on a host, where it was looked at."""
        return next((group for group in self.host_environments if host in group.hosts), None)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Names of the hosts in use, in rank order."""
        return tuple(dict.fromkeys([*(rank.host for rank in self.ranks), *(service.host for service in self.services)]))
