"""Reads the `/etc/hccn.conf` of a host as its devices with their addresses."""

from __future__ import annotations

from launcher.errors import SpecError
from launcher.hosts.importing.given import Named
from launcher.hosts.reading.hccn_conf import read_hccn_conf
from launcher.specs import Device


def read_devices(host: str, text: str, where: str) -> Named:
    """A host with the devices that have an address there. Raises SpecError for a line that is not understood."""
    addresses, unread = read_hccn_conf(text, where)
    if unread:
        first = unread[0]
        raise SpecError(
            f"{first.reason}: {first.text!r}",
            where=f"{first.source}:1",
            expected="a line such as address_0=192.168.10.11",
            remedy="mend it with `hccn_tool -i N -ip -s address A netmask M` on the host",
        )
    if not addresses:
        raise SpecError("has no address of a device", where=where, expected="lines such as address_0=192.168.10.11")
    devices = tuple(Device(id=number, ip=address) for number, address in sorted(addresses.items()))
    return Named(host, where, devices)
