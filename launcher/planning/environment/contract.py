"""What a framework's environment module gives to the plan, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from launcher.planning.model import Target
from launcher.planning.place import Place
from launcher.planning.placement import Seat


@dataclass(frozen=True)
class Job:
    """What all ranks of a job share. `meeting_host` is the address on which ranks find each other."""

    place: Place
    target: Target
    seats: tuple[Seat, ...]
    meeting_host: str
    rank_table_path: str | None

    @property
    def world_size(self) -> int:
        """The number of ranks."""
        return len(self.seats)

    @cached_property
    def numbers_devices_from_0(self) -> bool:
        """Whether every host's devices in use are 0 to n-1."""
        return all(ids == tuple(range(len(ids))) for ids in {seat.device_ids for seat in self.seats})

    @property
    def meeting_port(self) -> str:
        """The port on which ranks find each other."""
        return str(self.place.scheduler_port)


@dataclass(frozen=True)
class Service:
    """A process beside the ranks, on the host of rank 0: Python code, and its variables."""

    name: str
    code: str
    env: Mapping[str, str]


@dataclass(frozen=True)
class Contract:
    """How ranks of one framework learn who they are.

    `owns` are the names that a recipe may not set and a shell may not leak, `of_rank` gives a rank's variables, and
    `services` the processes that the ranks need beside them.
    """

    owns: tuple[str, ...]
    of_rank: Callable[[Job, Seat], Mapping[str, str]]
    services: Callable[[Job], tuple[Service, ...]] = lambda _: ()
