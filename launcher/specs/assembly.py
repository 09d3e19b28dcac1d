"""From a cluster as it is written to its hosts, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from launcher.specs.cluster import Cluster, Host, merged
from launcher.specs.container import Container
from launcher.specs.device import Device
from launcher.specs.device_addresses import addresses_by_host
from launcher.specs.fields import refuse
from launcher.specs.host_patterns import MOST_NAMES, expand
from launcher.specs.nearest import nearest
from launcher.specs.servers import SERVERS
from launcher.specs.soundness import check_hosts

if TYPE_CHECKING:
    from launcher.specs.cluster_file import ClusterFile, HostEntry

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class _Placed:
    """A host, and which item of `hosts` it is from."""

    host: Host
    item: int
    entry: HostEntry | None

    def place(self, *below: str | int) -> Path:
        """Where the file says this of the host; `below` is as in `Host`."""
        if self.entry is None:
            return ("hosts", self.item)
        if below[:1] == ("address",) and self.entry.address is None:
            below = ("name",)
        if below[:1] == ("devices",) and below[-1] == "ip" and self.entry.device_ips is not None:
            below = ("device_ips",)
        return ("hosts", self.item, *below)


def assemble(file: ClusterFile) -> Cluster:
    """The cluster that a file describes: patterns expanded, defaults applied, exclusions gone, spares last.

    Raises PydanticCustomError with the place, below the file, of what does not fit.
    """
    soc = _soc(file)
    placed = list(_hosts(file))
    check_hosts(soc, file.server, [each.host for each in placed], lambda index, *below: placed[index].place(*below))
    hosts = {each.host.name: each.host for each in placed}
    for item, pattern in enumerate(file.spares):
        for name in _named(pattern, hosts, "spares", item):
            hosts[name] = hosts[name].model_copy(update={"spare": True})
    _exclude(file, hosts)
    if not hosts:
        raise refuse("leaves no host", "exclude")
    general: dict[str, Any] = {key: _general(file, key) for key in ("ssh", "cann", "python", "container")}
    return Cluster(name=file.name, server=file.server, soc=soc, hosts=tuple(hosts.values()), ray=file.ray, **general)


def _soc(file: ClusterFile) -> str:
    if file.soc is not None:
        return file.soc
    if file.server is None:
        raise refuse("is missing: name the chip, as in `soc: Ascend910B3`, or the `server`", "soc")
    soc = SERVERS[file.server].soc
    if soc is None:
        raise refuse(f"is {file.server}, which comes with several chips: say `soc` as well", "server")
    return soc


def _general(file: ClusterFile, key: str) -> object:
    """What holds for all hosts, which may be said in two places, but not in both."""
    beside, default = getattr(file, key), getattr(file.defaults, key, None)
    if beside is not None and default is not None:
        raise refuse(f"is given a second time: {key} stands beside hosts already", "defaults", key)
    return default if beside is None else beside


def _hosts(file: ClusterFile) -> Iterator[_Placed]:
    named: list[tuple[HostEntry | None, tuple[str, ...], tuple[str, ...]]] = []
    total = 0
    for item, entry in enumerate(file.hosts):
        only = None if isinstance(entry, str) else entry
        names = expand(entry if isinstance(entry, str) else entry.name)
        addresses = expand(only.address) if only and only.address else names
        if len(names) != len(addresses):
            what = f"stands for {len(addresses)} addresses, but name for {len(names)} hosts"
            raise refuse(what, "hosts", item, "address")
        total += len(names)
        if total > MOST_NAMES:
            raise refuse(f"makes {total} hosts, more than the {MOST_NAMES} that a cluster may have", "hosts", item)
        named.append((only, names, addresses))
    for item, (only, names, addresses) in enumerate(named):
        yield from (_Placed(host, item, only) for host in _entry_hosts(file, only, names, addresses, item))


def _entry_hosts(
    file: ClusterFile, entry: HostEntry | None, names: tuple[str, ...], addresses: tuple[str, ...], item: int
) -> Iterator[Host]:
    devices = _devices(file, entry, len(names), item)
    own = {} if entry is None else {key: getattr(entry, key) for key in _OWN}
    own["container"] = _container(file, entry, item)
    own["super_pod"] = own.get("super_pod") or (file.defaults.super_pod if file.defaults else None)
    for number, (name, address) in enumerate(zip(names, addresses, strict=True)):
        yield Host(name=name, address=address, devices=devices[number % len(devices)], **own)


_OWN = ("server_id", "super_pod", "spare", "ssh", "cann", "python")


def _container(file: ClusterFile, entry: HostEntry | None, item: int) -> Container | None:
    """The container of a host that has its own; what it does not say is as in that of all."""
    if entry is None or entry.container is None:
        return None
    general = _general(file, "container")
    if isinstance(general, Container):
        return merged(entry.container, general)
    if entry.container.image is None:
        raise refuse("is missing: no container beside `hosts` has one", "hosts", item, "container", "image")
    return Container(**entry.container.model_dump(exclude_unset=True))


def _devices(file: ClusterFile, entry: HostEntry | None, hosts: int, item: int) -> tuple[int | tuple[Device, ...], ...]:
    """The devices of each host of an entry; only one element where all have the same."""
    devices = None if entry is None else entry.devices
    if devices is None and file.defaults is not None:
        devices = file.defaults.devices
    if devices is None and file.server is not None:
        devices = SERVERS[file.server].devices
    if entry is not None and entry.device_ips is not None:
        return addresses_by_host(entry.device_ips, hosts, devices, ("hosts", item, "device_ips"))
    if devices is None:
        raise refuse("says no devices: add `devices: 8`, here or in `defaults`, or name the `server`", "hosts", item)
    return (devices,)


def _exclude(file: ClusterFile, hosts: dict[str, Host]) -> None:
    """Take hosts and devices away."""
    known = dict(hosts)
    for item, exclusion in enumerate(file.exclude):
        if isinstance(exclusion, str):
            for name in _named(exclusion, known, "exclude", item):
                hosts.pop(name, None)
            continue
        for name in _named(exclusion.host, known, "exclude", item, "host"):
            ids = {device.id for device in known[name].device_list}
            for position, number in enumerate(exclusion.devices):
                if number not in ids:
                    raise refuse(
                        f"is {number}, a device that host {name} does not have", *("exclude", item), "devices", position
                    )
            if name in hosts:
                rest = tuple(device for device in hosts[name].device_list if device.id not in exclusion.devices)
                hosts[name] = hosts[name].model_copy(update={"devices": rest})
                if not rest:
                    del hosts[name]


def _named(pattern: str, hosts: Iterable[str], *at: str | int) -> tuple[str, ...]:
    """The hosts that a pattern stands for; raises when one of them is not there."""
    names = expand(pattern)
    for name in names:
        if name not in hosts:
            what = f"names {name}" if name != pattern else f"is {name}"
            close = nearest(name, hosts)
            known = f"did you mean {close}?" if close else f"the first of them is {next(iter(hosts))}"
            raise refuse(f"{what}, which is no host of the cluster; {known}", *at)
    return names
