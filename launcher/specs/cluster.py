"""Which hosts and devices there are."""

from __future__ import annotations

import ipaddress
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from launcher.specs.fields import Address, FilledText, Form, HostName, IpAddress, RunName, Text, refuse
from launcher.specs.shape import list_or_scalar
from launcher.specs.soc import CPU, check_soc, device_limit
from launcher.specs.spec import Part, Spec

Soc = Annotated[Text, AfterValidator(check_soc), Form("CPU or an Ascend chip such as Ascend910B3")]
DeviceCount = Annotated[int, Field(ge=1, le=1024), Form("a whole number from 1 to 1024, or a list of devices")]
DeviceId = Annotated[int, Field(ge=0, le=1023), Form("a whole number from 0 up")]
SshPort = Annotated[int, Field(ge=1, le=65535), Form("a port from 1 to 65535")]


class Device(Part):
    """One NPU of a host."""

    id: DeviceId = Field(description="Physical id, the N of `/dev/davinciN`.")
    ip: IpAddress | None = Field(
        default=None,
        description="Address of the device's own network port (`hccn_tool -i N -ip -g`). HCCL needs it between hosts.",
    )


Devices = Annotated[
    Annotated[DeviceCount, Tag("scalar")]
    | Annotated[tuple[Device, ...], Field(min_length=1, strict=False), Form("a list of devices"), Tag("list")],
    Discriminator(list_or_scalar),
    Form("a whole number from 1 to 1024, or a list of devices"),
]


class Host(Part):
    """One machine of a cluster."""

    name: HostName = Field(description="A name for the host, unique in the cluster; names its folder in a run.")
    address: Address = Field(description="IPv4, IPv6 or host name under which the other hosts reach it.")
    devices: Devices = Field(
        description="The devices: a list, or a number n for devices 0 to n-1. On soc CPU, how many ranks it may run."
    )

    @property
    def device_list(self) -> tuple[Device, ...]:
        """The devices one by one, in order of their ids."""
        if isinstance(self.devices, int):
            return tuple(Device(id=number) for number in range(self.devices))
        return tuple(sorted(self.devices, key=lambda device: device.id))


class Ssh(Part):
    """How the launcher logs in to the hosts."""

    user: FilledText | None = Field(default=None, description="User to log in as; default: what ssh itself would use.")
    port: SshPort = Field(default=22, description="Port of the ssh server.")
    key: FilledText | None = Field(default=None, description="Private key file; `~` is the launching user's home.")


class Cluster(Spec):
    """Hosts, their devices, and how to reach them."""

    name: RunName = Field(description="What messages call this cluster.")
    soc: Soc = Field(
        description="Chip of every device, such as Ascend910B3 (`npu-smi info`), or CPU for hosts without NPUs."
    )
    hosts: Annotated[tuple[Host, ...], Form("a list of hosts")] = Field(
        min_length=1, strict=False, description="The machines, in the order in which ranks fill them."
    )
    ssh: Ssh | None = Field(default=None, description="How to log in to the hosts; not needed for this machine.")
    cann: FilledText | None = Field(
        default=None, description="CANN's folder on the hosts, such as /usr/local/Ascend/ascend-toolkit/latest."
    )

    @property
    def is_cpu(self) -> bool:
        """Whether ranks run on the hosts' processors."""
        return self.soc == CPU

    @property
    def device_count(self) -> int:
        """Devices on all hosts together; on CPU, process slots."""
        return sum(len(host.device_list) for host in self.hosts)

    @model_validator(mode="after")
    def _is_sound(self) -> Cluster:
        limit = device_limit(self.soc)
        families: dict[int, str] = {}
        names, addresses, ips = _Seen("name"), _Seen("address"), _Seen("ip")
        for number, host in enumerate(self.hosts):
            names.add(host.name.casefold(), f"host {host.name}", "hosts", number, "name")
            addresses.add(_same_address(host.address), f"host {host.name}", "hosts", number, "address")
            ids = _Seen("id")
            for position, device in enumerate(host.devices if isinstance(host.devices, tuple) else host.device_list):
                whose = f"device {device.id} of host {host.name}"
                at = ("hosts", number, "devices", position)
                ids.add(device.id, whose, *at, "id")
                if device.id >= limit:
                    raise refuse(f"is {device.id}, but device ids of {self.soc} go from 0 to {limit - 1}", *at, "id")
                if device.ip is not None:
                    ips.add(_same_address(device.ip), whose, *at, "ip")
                    families.setdefault(ipaddress.ip_address(device.ip).version, whose)
                    if len(families) > 1:
                        raise refuse(f"is of another family than that of {families[min(families)]}: {_ONE}", *at, "ip")
        return self


_ONE = "HCCL wants all IPv4 or all IPv6"


class _Seen:
    """Values of one kind that have to differ."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.owners: dict[str | int, str] = {}

    def add(self, value: str | int, owner: str, *at: str | int) -> None:
        """Raise, at the place `at`, when another owner has the value already."""
        if value in self.owners:
            raise refuse(f"is the {self.what} {value} again, which {self.owners[value]} has", *at)
        self.owners[value] = owner


def _same_address(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.casefold()
