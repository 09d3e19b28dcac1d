"""Which rank goes to which device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from launcher.errors import PlanError
from launcher.planning.devices_needed import fewer, needed
from launcher.specs import Cluster, Device, Framework, Host, Recipe
from launcher.specs.counted import counted


@dataclass(frozen=True, slots=True)
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

    A cluster has its spares last, so that they get ranks only when the other hosts do not suffice. Devices in
    `unavailable` (host, id), and all devices of a host that is there with None, get no rank. Of the hosts that get
    ranks, those of one super pod, and containers of one machine, follow each other, as rank tables want it.

    MindSpore wants the order of ranks to follow the dictionary order of `server_id` when a rank table spans hosts
    (mindspore-ai/docs, rank_table.md). So a MindSpore job still takes the first hosts of the cluster that have enough
    devices, but numbers its ranks in the order of their names in the rank table, as texts, as far as pods allow.

    Linear in the number of devices. Raises PlanError when there are more ranks than devices, or when NPUs of several
    servers have no addresses.
    """
    free = {host.name: _free_devices(host, unavailable) for host in cluster.hosts}
    devices = sum(map(len, free.values()))
    if recipe.ranks > devices:
        taken = f", {cluster.device_count - devices} of them taken" if devices < cluster.device_count else ""
        kind = "process slot" if cluster.is_cpu else "device"
        raise PlanError(
            f"{needed(recipe)}, but cluster {cluster.name} has "
            f"{counted(cluster.device_count, kind)} on {counted(len(cluster.hosts), 'host')}{taken}",
            where=str(recipe.source or ""),
            expected="a device for each rank",
            remedy=f"{fewer(recipe, devices) or f'wait until a {kind} is free'}, or add hosts to the cluster",
        )
    chosen = _first_hosts(recipe, cluster, free)
    if recipe.framework is Framework.MINDSPORE and not cluster.is_cpu:
        chosen = tuple(sorted(chosen, key=lambda host: host.machine))
    hosts_in_use = _together(chosen)
    seats: list[Seat] = []
    for host_index, host in enumerate(hosts_in_use):
        devices_in_use = free[host.name][: recipe.ranks - len(seats)]
        ids = tuple(device.id for device in devices_in_use)
        seats += [
            Seat(len(seats) + local_rank, local_rank, host, host_index, device, ids)
            for local_rank, device in enumerate(devices_in_use)
        ]
    _refuse_missing_addresses(seats, hosts_in_use, cluster)
    return tuple(seats)


def keep_seats(cluster: Cluster, taken: Sequence[tuple[str, int]]) -> tuple[Seat, ...]:
    """Seat each rank where it is told to sit, (host, device id) in order of ranks: some of them run there already.

    Raises PlanError when the cluster has no such place.
    """
    hosts = {host.name: host for host in cluster.hosts}
    devices = {name: {d.id: d for d in hosts[name].device_list} for name, _ in dict(taken).items() if name in hosts}
    numbers: dict[str, list[int]] = {}
    for rank, (name, number) in enumerate(taken):
        if number not in devices.get(name, ()):
            raise PlanError(
                f"rank {rank} sits on {name}/{number}, which cluster {cluster.name} does not have",
                where=str(cluster.source or ""),
                expected="the cluster that the run was started on",
            )
        numbers.setdefault(name, []).append(number)
    ids = {name: tuple(sorted(taken_there)) for name, taken_there in numbers.items()}
    local_ranks = {name: {number: place for place, number in enumerate(ids[name])} for name in ids}
    indexes = {name: index for index, name in enumerate(ids)}
    return tuple(
        Seat(rank, local_ranks[name][number], hosts[name], indexes[name], devices[name][number], ids[name])
        for rank, (name, number) in enumerate(taken)
    )


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


def _together(hosts: Sequence[Host]) -> tuple[Host, ...]:
    """The hosts pod by pod and machine by machine, each at the place of its first host; without a pod by themselves."""
    pods: dict[tuple[str | None, str], int] = {}
    machines: dict[str, int] = {}
    for host in hosts:
        pods.setdefault(_pod(host), len(pods))
        machines.setdefault(host.machine, len(machines))
    return tuple(sorted(hosts, key=lambda host: (pods[_pod(host)], machines[host.machine])))


def _pod(host: Host) -> tuple[str | None, str]:
    return host.super_pod, host.machine if host.super_pod is None else ""


def _refuse_missing_addresses(seats: Sequence[Seat], hosts: Sequence[Host], cluster: Cluster) -> None:
    """HCCL refuses a table of several servers without `device_ip` (EI0004).

    Inside one super pod the devices need none where their `super_device_id` is known, and those of an Ascend 950 have
    their addresses in `levels` (HCCL user guide, cluster_info_config).
    """
    if cluster.is_cpu or len({host.machine for host in hosts}) == 1:
        return
    is_one_pod = len({host.super_pod for host in hosts}) == 1 and hosts[0].super_pod is not None
    lacking = dict.fromkeys(
        seat.host.name
        for seat in seats
        if seat.device.ip is None and not seat.device.levels and not (is_one_pod and seat.device.super_device_id)
    )
    if lacking:
        names = ", ".join(list(lacking)[:_MOST_NAMED])
        more = f" and {len(lacking) - _MOST_NAMED} more" if len(lacking) > _MOST_NAMED else ""
        raise PlanError(
            f"devices without an address on {names}{more}: HCCL needs them between hosts",
            where=str(cluster.source or f"cluster {cluster.name}"),
            expected="device_ips: [192.168.1.8, ...], or devices: [{id: 0, ip: 192.168.1.8}, ...]",
            remedy="run `hccn_tool -i N -ip -g` for each device N on these hosts, and write the addresses down",
        )


_MOST_NAMED = 8
