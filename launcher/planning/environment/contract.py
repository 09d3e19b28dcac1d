"""What a framework's environment module gives to the plan, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from launcher.planning.environment.variable import Variable
from launcher.planning.model import Target
from launcher.planning.place import Place
from launcher.planning.placement import Seat
from launcher.specs import FrozenMap

_NONE: Final = FrozenMap[str, str]()


@dataclass(frozen=True)
class Job:
    """What all ranks of a job share.

    `meeting_host` is the address on which ranks find each other; `rank_table_path` is None where there is no table, or
    the contract does without one.
    """

    place: Place
    target: Target
    seats: tuple[Seat, ...]
    meeting_host: str
    rank_table_path: str | None
    max_restarts: int

    @property
    def world_size(self) -> int:
        """The number of ranks."""
        return len(self.seats)

    @cached_property
    def numbers_devices_from_0(self) -> bool:
        """Whether every host's devices in use are 0 to n-1."""
        return all(ids == tuple(range(len(ids))) for ids in {seat.device_ids for seat in self.seats})

    @cached_property
    def host_count(self) -> int:
        """The number of hosts in use."""
        return len({seat.host_index for seat in self.seats})

    @cached_property
    def endpoints(self) -> tuple[str, ...]:
        """Where each rank can listen, `address:port`: where ranks meet, plus the rank's place on its host."""
        first = self.place.scheduler_port
        addresses = (self.meeting_host if self.host_count == 1 else seat.host.address for seat in self.seats)
        bracketed = (f"[{address}]" if ":" in address else address for address in addresses)
        return tuple(f"{host}:{first + seat.local_rank}" for host, seat in zip(bracketed, self.seats, strict=True))

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


def _nothing(_: Job) -> Mapping[str, str]:
    return _NONE


@dataclass(frozen=True, eq=False)
class Contract:
    """How ranks of one framework learn who they are.

    `variables` are those that it alone gives to ranks; a recipe may not set them and a shell may not leak them.
    `excludes` are others that contradict it, with the reason. `shared` gives what is the same on all ranks, `of_rank`
    the rest, and `services` the processes that the ranks need beside them. `defaults` are variables of all these
    processes that go together: a recipe that sets one of them sets them all.

    With `has_identity`, ranks are also told RANK_ID and RANK_SIZE, and the rank table where there is one; with
    `renumbers_devices`, a rank may see but a part of the host's devices, numbered from 0.
    """

    variables: tuple[Variable, ...]
    of_rank: Callable[[Job, Seat], Mapping[str, str]]
    defaults: Callable[[Job], Mapping[str, str]] = _nothing
    shared: Callable[[Job], Mapping[str, str]] = _nothing
    services: Callable[[Job], tuple[Service, ...]] = lambda _: ()
    excludes: Mapping[str, str] = _NONE
    has_identity: bool = True
    renumbers_devices: bool = False
