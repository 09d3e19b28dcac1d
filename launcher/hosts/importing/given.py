"""From the hosts that a source names to a cluster, with what else is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from launcher.errors import SpecError
from launcher.specs import Cluster, Device
from launcher.specs.document import Path
from launcher.specs.fields import check_address, check_host_name
from launcher.specs.load import cluster_from_mapping


@dataclass(frozen=True)
class Given:
    """What a person says beside a source, which does not say it itself.

    `devices` counts for hosts whose number of devices the source does not tell.
    """

    name: str = "imported"
    soc: str | None = None
    server: str | None = None
    devices: int | None = None

    @property
    def keys(self) -> dict[str, str]:
        """What of it stands beside the hosts in a cluster spec."""
        known = {"name": self.name, "soc": self.soc, "server": self.server}
        return {key: value for key, value in known.items() if value is not None}


@dataclass(frozen=True)
class Named:
    """A host that a source names, and where; `devices` is None when the source does not tell."""

    name: str
    where: str
    devices: int | tuple[Device, ...] | None = None


def cluster_of_names(hosts: Iterable[Named], given: Given, where: str) -> Cluster:
    """The cluster of these hosts, whose names are their addresses. `where` is the source as a whole.

    Raises SpecError with the place of what is wrong.
    """
    seen: dict[str, Named] = {}
    entries: list[dict[str, Any]] = []
    for host in hosts:
        _refuse(check_address, host)
        _refuse(check_host_name, host)
        first = seen.setdefault(host.name.casefold(), host)
        if first is not host:
            raise SpecError(f"names {host.name} again, which {first.where} does", where=host.where, remedy="remove one")
        devices = given.devices if host.devices is None else host.devices
        if devices is None and given.server is None:
            raise SpecError(
                f"does not say how many devices {host.name} has",
                where=host.where,
                remedy="name the server (such as atlas-800t-a2), or the number of devices",
            )
        entries.append({"name": host.name, **({} if devices is None else {"devices": devices})})
    if not entries:
        raise SpecError("names no host", where=where, expected="a host on each line")
    refuse_unknown_chip(given, where)
    places: dict[Path, str] = {("hosts", index): host.where for index, host in enumerate(seen.values())}
    return cluster_from_mapping({**given.keys, "hosts": entries}, where, places)


def refuse_unknown_chip(given: Given, where: str) -> None:
    """Raise SpecError when neither the chip nor the server is known: a host list does not tell."""
    if given.soc is None and given.server is None:
        raise SpecError(
            "does not say which chip the hosts have",
            where=where,
            expected="soc, such as Ascend910B3, or server, such as atlas-800t-a2",
            remedy="look at `npu-smi info` on one of the hosts",
        )


def _refuse(check: Callable[[str], str], host: Named) -> None:
    try:
        check(host.name)
    except PydanticCustomError as error:
        raise SpecError(
            f"names the host {host.name!r}, which {error}", where=host.where, expected="a name, or an IPv4 address"
        ) from None
