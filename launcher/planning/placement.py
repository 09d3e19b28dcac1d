"""Which rank goes to which device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from launcher.errors import PlanError
from launcher.specs import Cluster, Device, Framework, Host, Recipe


@dataclass(frozen=True)
class Seat:
    """A rank's place in the cluster.

    On CPU `device` is a slot of the host, and no device. `device_ids` are all that the job has on this host, ascending.
    """

    rank: int
    local_rank: int
    host: Host
    host_index: int
    device: Device
    device_ids: tuple[int, ...]


Unavailable = Set[tuple[str, int | None]]


def place_ranks(recipe: Recipe, cluster: Cluster, unavailable: Unavailable = frozenset()) -> tuple[Seat, ...]:
    """Seat ranks 0 to n-1: hosts in order, each filled before the next, one rank a device, devices by ascending id.

    Devices in `unavailable` (host, id), and all devices of a host that is there with None, get no rank.

    MindSpore wants the order of ranks to follow the dictionary order of `server_id` when a rank table spans hosts
    (mindspore-ai/docs, rank_table.md). So a MindSpore job still takes the first hosts of the cluster that have enough
    devices, but numbers its ranks in the order of their addresses as texts.

    Raises PlanError when there are more ranks than devices, or when NPUs of several hosts have no addresses.
    """
    free = {host.name: _free_devices(host, unavailable) for host in cluster.hosts}
    devices = sum(map(len, free.values()))
    if recipe.ranks > devices:
        taken = f", {cluster.device_count - devices} of them taken" if devices < cluster.device_count else ""
        kind = "process slot" if cluster.is_cpu else "device"
        fewer = f"set ranks to {devices}{' or less' * (devices > 1)}" if devices else f"wait until a {kind} is free"
        raise PlanError(
            f"{_count(recipe.ranks, 'rank')}, but cluster {cluster.name} has "
            f"{_count(cluster.device_count, kind)} on {_count(len(cluster.hosts), 'host')}{taken}",
            where=str(recipe.source or ""),
            expected="a device for each rank",
            remedy=f"{fewer}, or add hosts to the cluster",
        )
    hosts_in_use = _first_hosts(recipe, cluster, free)
    if recipe.framework is Framework.MINDSPORE and not cluster.is_cpu:
        hosts_in_use = tuple(sorted(hosts_in_use, key=lambda host: host.address))
    seats: list[Seat] = []
    for host_index, host in enumerate(hosts_in_use):
        devices_in_use = free[host.name][: recipe.ranks - len(seats)]
        ids = tuple(device.id for device in devices_in_use)
        seats += [
            Seat(len(seats) + local_rank, local_rank, host, host_index, device, ids)
            for local_rank, device in enumerate(devices_in_use)
        ]
    if len(hosts_in_use) > 1 and not cluster.is_cpu:
        _refuse_missing_addresses(seats, cluster)
    return tuple(seats)


def keep_seats(cluster: Cluster, taken: Sequence[tuple[str, int]]) -> tuple[Seat, ...]:
    """Seat each rank where it is told to sit, (host, device id) in order of ranks: some of them run there already.

    Raises PlanError when the cluster has no such place.
    """
    hosts = {host.name: host for host in cluster.hosts}
    used = list(dict.fromkeys(name for name, _ in taken))
    ids = {name: tuple(sorted(device for host, device in taken if host == name)) for name in used}
    seats = []
    for rank, (name, number) in enumerate(taken):
        device = next((d for d in hosts[name].device_list if d.id == number), None) if name in hosts else None
        if device is None:
            raise PlanError(
                f"rank {rank} sits on {name}/{number}, which cluster {cluster.name} does not have",
                where=str(cluster.source or ""),
                expected="the cluster that the run was started on",
            )
        seats.append(Seat(rank, ids[name].index(number), hosts[name], used.index(name), device, ids[name]))
    return tuple(seats)


def _free_devices(host: Host, unavailable: Unavailable) -> tuple[Device, ...]:
    if (host.name, None) in unavailable:
        return ()
    return tuple(device for device in host.device_list if (host.name, device.id) not in unavailable)


def _first_hosts(recipe: Recipe, cluster: Cluster, free: Mapping[str, tuple[Device, ...]]) -> tuple[Host, ...]:
    chosen: list[Host] = []
    seats = 0
    for host in cluster.hosts:
        if seats >= recipe.ranks:
            break
        if free[host.name]:
            chosen.append(host)
            seats += len(free[host.name])
    return tuple(chosen)


def _refuse_missing_addresses(seats: list[Seat], cluster: Cluster) -> None:
    """HCCL refuses a table of several servers without `device_ip` (EI0004)."""
    lacking = dict.fromkeys(seat.host.name for seat in seats if seat.device.ip is None)
    if lacking:
        raise PlanError(
            f"devices without an address on {', '.join(lacking)}: HCCL needs them between hosts",
            where=str(cluster.source or f"cluster {cluster.name}"),
            expected="devices: [{id: 0, ip: 192.168.1.8}, ...]",
            remedy="run `hccn_tool -i N -ip -g` for each device N on these hosts, and write the addresses down",
        )


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
