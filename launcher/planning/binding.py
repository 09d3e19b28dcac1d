"""Which processors each rank is bound to: those near to its device, shared out among the ranks there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from launcher.planning.placement import Seat

Near = Mapping[tuple[str, int], tuple[int, ...]]


def bound_cpus(seats: Sequence[Seat], near: Near) -> dict[int, tuple[int, ...]]:
    """The processors of each rank that is bound, by rank; `near` has those of a device by (host, device id).

    Devices with the same processors stand at one NUMA node. They are shared out among all of its devices, as many to
    each, neighbours in number, and those left over to the first ones: so two jobs on one host, which have different
    devices, have different processors too. Where there are fewer processors than devices, each may use all of them.
    """
    at_node: dict[tuple[str, tuple[int, ...]], list[int]] = {}
    for (host, device), cpus in near.items():
        at_node.setdefault((host, tuple(sorted(set(cpus)))), []).append(device)
    share: dict[tuple[str, int], tuple[int, ...]] = {}
    for (host, node), devices in at_node.items():
        for place, device in enumerate(sorted(devices)):
            share[host, device] = _part(node, place, len(devices))
    return {seat.rank: own for seat in seats if (own := share.get((seat.host.name, seat.device.id)))}


def _part(cpus: tuple[int, ...], place: int, parts: int) -> tuple[int, ...]:
    """One of so many parts of them."""
    if len(cpus) < parts:
        return cpus
    each, left = divmod(len(cpus), parts)
    first = place * each + min(place, left)
    return cpus[first : first + each + (place < left)]
