"""What the checks look at, as one value: the job, the cluster, and what its hosts say of themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from launcher.errors import NpuLaunchError
from launcher.hosts.preflight.finding import Severity
from launcher.hosts.report import HostReport, Npu
from launcher.planning.placement import Seat
from launcher.specs import Cluster, Device, Framework, Host, Recipe


@dataclass(frozen=True)
class Subject:
    """A cluster, what those of its hosts say that answered, and the job that is to run there, if one is meant.

    `seats` are the places of the job's ranks; there are none without a recipe, or when it does not fit (`misfit`).
    `own_processes` are (host, pid) of processes that runs of npu-launch have, with their runs.
    """

    cluster: Cluster
    reports: Mapping[str, HostReport]
    recipe: Recipe | None = None
    seats: tuple[Seat, ...] = ()
    misfit: NpuLaunchError | None = None
    own_processes: Mapping[tuple[str, int], str] = field(default_factory=dict)

    @property
    def reported(self) -> Iterator[tuple[Host, HostReport]]:
        """The hosts that answered, in the order of the cluster."""
        return ((host, self.reports[host.name]) for host in self.cluster.hosts if host.name in self.reports)

    @property
    def npus(self) -> Iterator[tuple[Host, Device, Npu]]:
        """The devices of the cluster that npu-smi told of."""
        for host, report in self.reported:
            told = {npu.id: npu for npu in report.npus}
            for device in host.device_list:
                if device.id in told:
                    yield host, device, told[device.id]

    @property
    def spans_hosts(self) -> bool:
        """Whether ranks are on several hosts, or would be if all devices had one."""
        return len({seat.host.name for seat in self.seats} or self.cluster.hosts) > 1

    @property
    def is_gang(self) -> bool:
        """Whether several ranks form one group; those of plain jobs meet, if at all, in a way of their own."""
        return self.recipe is None or (self.recipe.framework is not Framework.PLAIN and self.recipe.ranks > 1)

    def of_gang(self, severity: Severity) -> Severity:
        """How severe something is that matters to ranks which need each other: for others it refuses nothing."""
        return severity if self.is_gang or severity is not Severity.REFUSE else Severity.WARN

    @cached_property
    def ranks(self) -> Mapping[tuple[str, int], int]:
        """The rank on each device (host, id)."""
        return {(seat.host.name, seat.device.id): seat.rank for seat in self.seats}

    @cached_property
    def ranks_on(self) -> Mapping[str, int]:
        """How many ranks each host has; without a job, as many as it has devices."""
        if not self.seats:
            return {host.name: len(host.device_list) for host in self.cluster.hosts}
        names = [seat.host.name for seat in self.seats]
        return {name: names.count(name) for name in dict.fromkeys(names)}

    def is_used(self, host: str | None, device: int | None) -> bool:
        """Whether a rank is there; without a job, and for what is about no host, that is so."""
        if not self.seats or host is None:
            return True
        return host in self.ranks_on if device is None else (host, device) in self.ranks
