"""Which hosts and devices there are, one by one: what a cluster file comes to."""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from launcher.specs.container import Container
from launcher.specs.device import Device, ListedDevice
from launcher.specs.fields import Address, FilledText, Form, HostName, RunName, Text
from launcher.specs.login import Ssh
from launcher.specs.ray import Ray
from launcher.specs.server_name import ServerName
from launcher.specs.shape import list_or_scalar
from launcher.specs.soc import CPU, KNOWN_SOCS, NEW_CHIP, check_soc
from launcher.specs.soundness import check_hosts
from launcher.specs.spec import Part, Spec

Soc = Annotated[
    Text,
    AfterValidator(check_soc),
    Form("CPU or an Ascend chip such as Ascend910B3", {"anyOf": [{"enum": list(KNOWN_SOCS)}, {"pattern": NEW_CHIP}]}),
]
DeviceCount = Annotated[int, Field(ge=1, le=1024), Form("a whole number from 1 to 1024, or a list of devices")]
Devices = Annotated[
    Annotated[DeviceCount, Tag("scalar")]
    | Annotated[tuple[ListedDevice, ...], Field(min_length=1, strict=False), Form("a list of devices"), Tag("list")],
    Discriminator(list_or_scalar),
    Form("a whole number from 1 to 1024, or a list of devices"),
]
AnyPart = TypeVar("AnyPart", bound=Part)


class Host(Part):
    """One machine of a cluster, or one container that ranks are started in.

    In a cluster `ssh`, `cann`, `python` and `container` are what holds for this host: its own or else the cluster's.
    """

    name: HostName
    address: Address
    devices: Devices
    server_id: FilledText | None = None
    super_pod: FilledText | None = None
    spare: bool = False
    ssh: Ssh | None = None
    cann: FilledText | None = None
    python: FilledText | None = None
    container: Container | None = None

    @property
    def device_list(self) -> tuple[Device, ...]:
        """The devices one by one, in order of their ids."""
        if isinstance(self.devices, int):
            return _numbered(self.devices)
        return tuple(sorted(self.devices, key=lambda device: device.id))

    @property
    def machine(self) -> str:
        """What rank tables call the machine (`server_id`)."""
        return self.server_id or self.address


class Cluster(Spec):
    """Hosts, their devices, and how to reach them: the spares last, and without what is excluded."""

    name: RunName
    server: ServerName | None = None
    soc: Soc
    hosts: Annotated[tuple[Host, ...], Form("a list of hosts")] = Field(min_length=1, strict=False)
    ssh: Ssh | None = None
    cann: FilledText | None = None
    python: FilledText | None = None
    container: Container | None = None
    ray: Ray | None = None

    @property
    def is_cpu(self) -> bool:
        """Whether ranks run on the hosts' processors."""
        return self.soc == CPU

    @property
    def device_count(self) -> int:
        """Devices on all hosts together; on CPU, process slots."""
        return sum(host.devices if isinstance(host.devices, int) else len(host.devices) for host in self.hosts)

    def written(self) -> Cluster:
        """The same with nothing repeated at a host that the cluster says; read back it is equal."""
        return self.model_copy(update={"hosts": tuple(self._without_inherited(host) for host in self.hosts)})

    def _without_inherited(self, host: Host) -> Host:
        repeated = [key for key in _INHERITED if getattr(host, key) == getattr(self, key)]
        return host.model_copy(update=dict.fromkeys(repeated))

    @model_validator(mode="after")
    def _is_sound(self) -> Cluster:
        check_hosts(self.soc, self.server, self.hosts, lambda index, *below: ("hosts", index, *below))
        # A frozen model has no other way to finish its own values.
        self.__dict__["hosts"] = tuple(sorted(map(self._with_inherited, self.hosts), key=lambda host: host.spare))
        return self

    def _with_inherited(self, host: Host) -> Host:
        update: dict[str, Any] = {}
        for key in _INHERITED:
            own, general = getattr(host, key), getattr(self, key)
            if general is not None and own is not general:
                update[key] = merged(own, general) if isinstance(own, Part) else own or general
        return host.model_copy(update=update) if update else host


_INHERITED = ("ssh", "cann", "python", "container")


def merged(own: Part, general: AnyPart) -> AnyPart:
    """What is said in particular, and for the rest what is said in general."""
    said = {key: getattr(own, key) for key in own.model_fields_set if getattr(own, key) is not None}
    return general.model_copy(update=said)


@lru_cache(maxsize=64)
def _numbered(count: int) -> tuple[Device, ...]:
    return tuple(Device(id=number) for number in range(count))
