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
from launcher.specs import FrozenMap, Host

_NONE: Final = FrozenMap[str, str]()
_NO_IDS: Final = FrozenMap[int, int]()


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

    def logical_id(self, host: str, device: int) -> int:
        """The number by which a process knows a device: its place among the NPUs that are there.

        On a host with all its NPUs that is the physical id, which is taken where nobody has looked. A container may
        have davinci4 to davinci7 alone: 0 to 3 to its processes (Ascend/mind-cluster, usage on the docker client).
        """
        return self._logical_ids.get(host, _NO_IDS).get(device, device)

    @cached_property
    def numbers_devices_from_0(self) -> bool:
        """Whether on every host the devices in use are 0 to n-1 to a process."""
        in_use = {(seat.host.name, seat.device_ids) for seat in self.seats}
        return all(
            [self.logical_id(host, device) for device in devices] == list(range(len(devices)))
            for host, devices in in_use
        )

    @cached_property
    def _logical_ids(self) -> Mapping[str, Mapping[int, int]]:
        there = self.place.devices_there
        return {host: {device: place for place, device in enumerate(sorted(devices))} for host, devices in there}

    def ip(self, host: Host) -> str:
        """What the others reach a host by: an IP where it is known, else the address that the cluster gives it."""
        return self._addresses.get(host.name, (host.address, None))[0]

    def interface(self, host: Host) -> str | None:
        """The network interface of a host that has this IP; None where nobody has seen that it has."""
        return self._addresses.get(host.name, ("", None))[1]

    @cached_property
    def knows_interfaces(self) -> bool:
        """Whether ranks are on several hosts, and each of these was seen to have its IP itself."""
        return self.host_count > 1 and all(map(self.interface, self.hosts.values()))

    @cached_property
    def _addresses(self) -> Mapping[str, tuple[str, str | None]]:
        return {host: (ip, interface) for host, ip, interface in self.place.addresses}

    @cached_property
    def host_count(self) -> int:
        """The number of hosts in use."""
        return len(self.hosts)

    @cached_property
    def hosts(self) -> Mapping[str, Host]:
        """The hosts in use by name, in the order of their ranks."""
        return {seat.host.name: seat.host for seat in self.seats}

    @cached_property
    def endpoints(self) -> tuple[str, ...]:
        """Where each rank can listen, `address:port`: where ranks meet, plus the rank's place on its host."""
        first = self.place.scheduler_port
        addresses = (self.meeting_host if self.host_count == 1 else self.ip(seat.host) for seat in self.seats)
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


@dataclass(frozen=True, eq=False)
class Contract:
    """How ranks of one framework learn who they are.

    `variables` are those that it alone gives to ranks; a recipe may not set them and a shell may not leak them.
    `excludes` are others that contradict it, with the reason. `shared` gives what is the same on all ranks, `of_rank`
    the rest, and `services` the processes that the ranks need beside them. `defaults` are variables of all these
    processes that go together: a recipe that sets one of them sets them all. `of_host` are defaults of the ranks of one
    host, each of which a recipe may set by itself.

    With `has_identity`, ranks are also told RANK_ID and RANK_SIZE, and the rank table where there is one; with
    `renumbers_devices`, a rank may see but a part of the host's devices, numbered from 0.
    """

    variables: tuple[Variable, ...] = ()
    of_rank: Callable[[Job, Seat], Mapping[str, str]] = lambda _job, _seat: _NONE
    defaults: Callable[[Job], Mapping[str, str]] = lambda _: _NONE
    of_host: Callable[[Job, Host], Mapping[str, str]] = lambda _job, _host: _NONE
    shared: Callable[[Job], Mapping[str, str]] = lambda _: _NONE
    services: Callable[[Job], tuple[Service, ...]] = lambda _: ()
    excludes: Mapping[str, str] = _NONE
    has_identity: bool = True
    renumbers_devices: bool = False
