"""What has to hold between the hosts of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn

from launcher.specs.device import Device
from launcher.specs.fields import packed_ip, refuse
from launcher.specs.servers import SERVERS
from launcher.specs.soc import device_limit, family_of

if TYPE_CHECKING:
    from launcher.specs.cluster import Host

Path = tuple[str | int, ...]
Place = Callable[..., Path]


def check_hosts(soc: str, server: str | None, hosts: Sequence[Host], place: Place) -> None:
    """Refuse names, addresses and devices that are there twice, and devices that the chip or server cannot have.

    `place(index, *below)` is where the spec says something of a host: ("name",), ("devices", position, "ip").
    Linear in the number of devices. Raises PydanticCustomError.
    """
    check = _Check(soc, server, place)
    shares_machines = any(host.server_id is not None for host in hosts)
    for index, host in enumerate(hosts):
        check.host(index, host)
        if isinstance(host.devices, int):
            check.count(index, host.devices)
        if shares_machines or not isinstance(host.devices, int):
            devices = host.device_list if isinstance(host.devices, int) else host.devices
            for position, device in enumerate(devices):
                check.device(index, host, position, device)


class _Check:
    """What was seen so far of a cluster, and what may not be seen with it."""

    def __init__(self, soc: str, server: str | None, place: Place) -> None:
        self.place = place
        self.limit, self.of_what = device_limit(soc), soc
        if server is not None:
            preset = SERVERS[server]
            self.limit, self.of_what = preset.devices, server
            if family_of(soc) not in (None, preset.family):
                raise refuse(f"is {soc}, but server {server} has chips of the family {preset.family.value}", "soc")
        self.owners: dict[tuple[str, object], str] = {}
        self.families: dict[bool, str] = {}

    def host(self, index: int, host: Host) -> None:
        owner = f"host {host.name}"
        entry = ".".join(map(str, self.place(index, "name")))
        self._differs("name", host.name, host.name.casefold(), entry, index, "name")
        self._differs("address", host.address, _canonical(host.address), owner, index, "address")

    def count(self, index: int, devices: int) -> None:
        if devices > self.limit:
            most = f"{self.limit} device{'s' * (self.limit > 1)}"
            self._refuse(f"is {devices}, but {self.of_what} has {most} at most", index, "devices")

    def device(self, index: int, host: Host, position: int, device: Device) -> None:
        owner, at = f"device {device.id} of host {host.name}", (index, "devices", position)
        self._differs("id", device.id, (host.machine, device.id), owner, *at, "id")
        if device.id >= self.limit:
            what = f"is {device.id}, but device ids of {self.of_what} go from 0 to {self.limit - 1}"
            self._refuse(what, *at, "id")
        if device.super_device_id is not None:
            key = (host.super_pod, device.super_device_id)
            self._differs("super_device_id", device.super_device_id, key, owner, *at, "super_device_id")
        if device.ip is not None:
            self._differs("ip", device.ip, _canonical(device.ip), owner, *at, "ip")
            self.families.setdefault(":" in device.ip, owner)
            if len(self.families) > 1:
                other = self.families[":" not in device.ip]
                self._refuse(f"is of another family than that of {other}: HCCL wants all IPv4 or all IPv6", *at, "ip")

    def _differs(self, what: str, value: str | int, key: object, owner: str, *at: str | int) -> None:
        """Refuse a value whose key another owner has already."""
        first = self.owners.setdefault((what, key), owner)
        if first is not owner:
            self._refuse(f"is the {what} {value} again, which {first} has", *at)

    def _refuse(self, reason: str, *at: str | int) -> NoReturn:
        raise refuse(reason, *self.place(*at))


def _canonical(address: str) -> str | bytes:
    """The same for all spellings of an address; an IPv4 address has but one."""
    return packed_ip(address) if ":" in address else address.casefold()
