"""The addresses of devices, written for several hosts at once."""

from __future__ import annotations

from collections.abc import Sequence

from launcher.specs.device import Device
from launcher.specs.fields import refuse
from launcher.specs.host_patterns import expand, inner_count

_ONE_TEXT = "for several hosts write one text a device, with an address for each host"


def addresses_by_host(
    patterns: Sequence[str], hosts: int, devices: int | tuple[Device, ...] | None, at: tuple[str | int, ...]
) -> tuple[tuple[Device, ...], ...]:
    """The devices of each host, with the addresses that are written device by device, and for each host by host.

    `devices` are those of one host; None: as many as there are addresses for. Raises PydanticCustomError, at the place
    `at`, when the numbers do not fit: an address is never given to a device by chance.
    """
    if isinstance(devices, tuple) and any(device.ip is not None for device in devices):
        raise refuse("gives addresses to devices that have an ip of their own", *at)
    addresses: list[str] = []
    for position, pattern in enumerate(patterns):
        names = expand(pattern)
        if hosts > 1 and not _is_by_device(pattern, len(names), hosts):
            raise refuse(f"stands for {_count(len(names))}, but there are {hosts} hosts: {_ONE_TEXT}", *at, position)
        addresses += names
    if devices is None:
        devices = len(addresses) // hosts
    numbered = tuple(Device(id=number) for number in range(devices)) if isinstance(devices, int) else devices
    if len(addresses) != hosts * len(numbered):
        wanted = f"{hosts} x {len(numbered)}" if hosts > 1 else f"{len(numbered)}"
        raise refuse(f"stands for {_count(len(addresses))}, but there are {wanted} devices", *at)
    return tuple(
        tuple(
            device.model_copy(update={"ip": addresses[place * hosts + host]}) for place, device in enumerate(numbered)
        )
        for host in range(hosts)
    )


def _is_by_device(pattern: str, addresses: int, hosts: int) -> bool:
    """Whether a text has one address for each host, or does so again for each value of a bracket before."""
    return hosts in (addresses, inner_count(pattern))


def _count(addresses: int) -> str:
    return f"{addresses} address{'es' * (addresses != 1)}"
