"""A cluster as people write it: hosts by list or pattern, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, PrivateAttr, Tag, model_validator

from launcher.specs.assembly import assemble
from launcher.specs.cluster import Cluster, Devices, Soc
from launcher.specs.container import Container, ContainerChanges
from launcher.specs.device import DeviceId
from launcher.specs.fields import (
    FilledText,
    Form,
    RunName,
    check_address,
    check_host_name,
    check_ip,
    refuse,
)
from launcher.specs.host_patterns import BadPattern, expand, is_pattern
from launcher.specs.login import Ssh
from launcher.specs.ray import Ray
from launcher.specs.server_name import ServerName
from launcher.specs.shape import mapping_or_scalar
from launcher.specs.spec import Part, Spec


def _each(check: Callable[[str], str]) -> Callable[[str], str]:
    """A check of a name as one of all names that a pattern stands for."""

    def check_all(pattern: str) -> str:
        if not is_pattern(pattern):
            return check(pattern)
        try:
            names = expand(pattern)
        except BadPattern as bad:
            raise refuse(str(bad)) from None
        for name in names:
            try:
                check(name)
            except Exception as error:
                raise refuse(f"stands for {name!r}, which {error}") from None
        return pattern

    return check_all


def _is_name_and_address(text: str) -> str:
    if ":" in text:
        raise refuse("needs a name beside it: {name: node1, address: 'fd00::1'}")
    return check_address(check_host_name(text))


def _pattern(character: str, *examples: str) -> dict[str, Any]:
    """The grammar of host patterns as a regular expression; `character` is one outside of brackets."""
    numbers = "[0-9]{1,18}(-[0-9]{1,18})?"
    item = rf" *({character}|\[{numbers}(,{numbers})*\])+ *"
    return {"pattern": f"^{item}(,{item})*$", "examples": list(examples)}


Names = Annotated[
    FilledText,
    AfterValidator(_each(check_host_name)),
    Form(
        "1 to 63 letters, digits, dots, dashes and underscores, no dot first; or a pattern such as node[001-064]",
        _pattern("[A-Za-z0-9._-]", "node[001-064]", "node[001-003,007],gpu1"),
    ),
]
Addresses = Annotated[
    FilledText,
    AfterValidator(_each(check_address)),
    Form(
        "an IPv4 or IPv6 address, or a host name; or a pattern such as 10.0.0.[11-74]",
        _pattern("[A-Za-z0-9.:-]", "10.0.0.[11-74]"),
    ),
]
Ips = Annotated[
    FilledText,
    AfterValidator(_each(check_ip)),
    Form(
        "an IPv4 or IPv6 address, or a pattern such as 192.168.[1-8].11",
        _pattern("[0-9A-Fa-f.:]", "192.168.[1-8].11"),
    ),
]
HostText = Annotated[
    FilledText,
    AfterValidator(_each(_is_name_and_address)),
    Form("a host name, or a pattern such as node[001-064]", _pattern("[A-Za-z0-9.-]", "node[001-064]")),
]


class HostEntry(Part):
    """One host, or as many as the pattern in `name` stands for."""

    name: Names = Field(
        description="A name for the host, unique in the cluster; names its folder in a run. A pattern such as "
        "`node[001-064]` or `node[001-003,007],gpu1` stands for several hosts."
    )
    address: Addresses | None = Field(
        default=None,
        description="IPv4, IPv6 or host name under which the other hosts reach it; default: its name. With a pattern "
        "in `name`, one with as many addresses: `10.0.0.[11-74]`.",
    )
    devices: Devices | None = Field(
        default=None,
        description="The devices: a number n for devices 0 to n-1, or a list of their ids, `[0, 1, 4, 5]`, or of "
        "mappings, `[{id: 0, ip: 192.168.1.8}]`. On soc CPU, how many ranks it may run. "
        "Default: what `defaults` or `server` says.",
    )
    device_ips: Annotated[tuple[Ips, ...], Form("a list of addresses or patterns")] | None = Field(
        default=None,
        min_length=1,
        strict=False,
        description="Addresses of the devices' own network ports, device by device, in place of an `ip` in each: "
        '`["192.168.[1-8].11"]`. For several hosts one text a device, with an address for each host: '
        '`["192.168.1.[11-74]", "192.168.2.[11-74]"]`, or `["192.168.[1-2].[11-74]"]`.',
    )
    server_id: FilledText | None = Field(
        default=None,
        description="Name of the machine in rank tables; default: the address. Containers of one machine share it.",
    )
    super_pod: FilledText | None = Field(
        default=None, description="Super pod that the host is part of (`Super Pod ID` of `npu-smi`, or any name)."
    )
    spare: Annotated[bool, Form("true or false")] = Field(
        default=False, description="Whether the host gets ranks only when the others do not suffice."
    )
    ssh: Ssh | None = Field(default=None, description="How to log in, where it differs from the cluster's `ssh`.")
    cann: FilledText | None = Field(default=None, description="CANN's folder, where it differs.")
    python: FilledText | None = Field(default=None, description="Python, where it differs.")
    container: ContainerChanges | None = Field(default=None, description="The container, where it differs.")


class HostDefaults(Part):
    """What holds for every host that does not say otherwise; the last four may also stand beside `hosts`."""

    devices: Devices | None = Field(default=None, description="The devices: a number, or a list of ids or mappings.")
    super_pod: FilledText | None = Field(default=None, description="Super pod that the hosts are part of.")
    ssh: Ssh | None = Field(default=None, description="How to log in.")
    cann: FilledText | None = Field(default=None, description="CANN's folder.")
    python: FilledText | None = Field(default=None, description="Python.")
    container: Container | None = Field(default=None, description="The container.")


class Exclusion(Part):
    """Devices of hosts that get no rank, in place of a name or pattern that takes all of a host."""

    host: Names = Field(description="The host, or a pattern.")
    devices: Annotated[tuple[DeviceId, ...], Form("a list of device ids")] = Field(
        min_length=1, strict=False, description="Ids of the devices that get no rank."
    )


HostItem = Annotated[
    Annotated[HostText, Tag("scalar")] | Annotated[HostEntry, Tag("mapping")],
    Discriminator(mapping_or_scalar),
    Form("a host name, a pattern such as node[001-064], or a mapping with name"),
]
ExcludeItem = Annotated[
    Annotated[Names, Tag("scalar")] | Annotated[Exclusion, Tag("mapping")],
    Discriminator(mapping_or_scalar),
    Form("a host name, a pattern, or a mapping with host and devices"),
]


class ClusterFile(Spec):
    """Hosts, their devices, and how to reach them."""

    name: RunName = Field(description="What messages call this cluster.")
    server: ServerName | None = Field(
        default=None,
        description="The product that every host is: how many devices it has, and which sets of them a job may use.",
    )
    soc: Soc | None = Field(
        default=None,
        description="Chip of every device, such as Ascend910B3 (`npu-smi info`), or CPU for hosts without NPUs. "
        "Default: the usual chip of `server`, which is Ascend910A, Ascend910B3 or Ascend910_9391.",
    )
    hosts: Annotated[tuple[HostItem, ...], Form("a list of hosts")] = Field(
        min_length=1, strict=False, description="The machines, in the order in which ranks fill them."
    )
    defaults: Annotated[HostDefaults, Form("a mapping of host keys")] | None = Field(
        default=None, description="What holds for every host that does not say otherwise."
    )
    spares: Annotated[tuple[Names, ...], Form("a list of host names or patterns")] = Field(
        default=(), strict=False, description="Hosts that get ranks only when the others do not suffice."
    )
    exclude: Annotated[tuple[ExcludeItem, ...], Form("a list of hosts, or of devices of hosts")] = Field(
        default=(),
        strict=False,
        description="Hosts that get no rank: names, patterns, or `{host: node007, devices: [3]}` for some devices.",
    )
    ssh: Ssh | None = Field(default=None, description="How to log in to the hosts; not needed for this machine.")
    cann: FilledText | None = Field(
        default=None, description="CANN's folder on the hosts, such as /usr/local/Ascend/ascend-toolkit/latest."
    )
    python: FilledText | None = Field(
        default=None, description="Python on the hosts, for recipes that name none. Default: the launcher's own."
    )
    container: Container | None = Field(default=None, description="The container that ranks run in; default: none.")
    ray: Ray | None = Field(
        default=None,
        description="The Ray that connects the hosts; default: npu-launch's own. One host needs none.",
    )

    _cluster: Cluster = PrivateAttr()

    @property
    def cluster(self) -> Cluster:
        """What the file comes to."""
        return self._cluster

    @model_validator(mode="after")
    def _is_sound(self) -> ClusterFile:
        self._cluster = assemble(self)
        return self
