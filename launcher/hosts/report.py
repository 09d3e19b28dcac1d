"""What a host says of itself, once it is understood: values alone, and nothing in them is guessed.

Whatever was not there, or could not be understood, is None or empty here and has an entry in `HostReport.unread`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Health(str, Enum):
    """The health of an NPU, as `npu-smi info` spells it (its reference on hiascend)."""

    OK = "OK"
    WARNING = "Warning"
    ALARM = "Alarm"
    CRITICAL = "Critical"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True)
class NpuProcess:
    """A process that has an NPU open; its name may be empty inside containers. Memory in MB."""

    pid: int
    name: str
    memory: int | None


@dataclass(frozen=True)
class Port:
    """The network port of one NPU, as `hccn_tool -i N` knows it.

    `ip` is None where none is set, `link` whether it is up, `health` the text of `-net_health -g`, `tls` whether TLS is
    enabled. What was not asked, or not understood, is None.
    """

    ip: str | None = None
    netmask: str | None = None
    link: bool | None = None
    health: str | None = None
    tls: bool | None = None


@dataclass(frozen=True)
class Npu:
    """One NPU, or one die of an NPU of two. Memory in MB: HBM, or DDR on chips that have no HBM."""

    id: int  # physical: the N of /dev/davinciN
    card: int  # what `npu-smi info -i` takes
    chip: int  # what `npu-smi info -c` takes
    name: str  # "910B3"
    health: Health
    error_codes: tuple[str, ...] = ()
    bus_id: str | None = None
    power: float | None = None  # W
    temperature: float | None = None  # degrees Celsius
    aicore: int | None = None  # percent
    memory_used: int | None = None
    memory_total: int | None = None
    processes: tuple[NpuProcess, ...] = ()
    port: Port | None = None
    super_device_id: str | None = None
    super_pod_id: str | None = None
    cpus: tuple[int, ...] | None = None  # those near to it


@dataclass(frozen=True)
class Package:
    """One installed part of the Ascend software, and the file that says so."""

    version: str
    source: str
    compatible: tuple[str, ...] = ()  # "[7.0.0,7.2.99]": of its counterpart, firmware for a driver, driver for firmware


@dataclass(frozen=True)
class Filesystem:
    """The file system that holds a path. Sizes in bytes; `inodes_free` is None where files are not counted."""

    path: str
    total: int
    free: int
    inodes_free: int | None = None


@dataclass(frozen=True)
class Clock:
    """The host's clock between two readings of the asker's own; seconds since 1970."""

    asked: float
    host: float
    answered: float

    @property
    def skew(self) -> tuple[float, float]:
        """The least and the most that the host's clock can be ahead of the asker's."""
        return self.host - self.answered, self.host - self.asked


class PathKind(str, Enum):
    """What is at a path."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class Unread:
    """Something that was asked and whose answer was not understood, or not given: what, why, and the text itself."""

    source: str
    reason: str
    text: str = ""


@dataclass(frozen=True)
class HostReport:
    """All that one host says of itself.

    `packages` has the keys driver, firmware, cann, nnae, python, torch, torch_npu, mindspore, tensorflow, as far as
    they are installed; `limits` the soft limits of the user (`nofile`, `nproc`, `memlock`, `stack`; None: unlimited);
    `device_nodes` the ids of `/dev/davinciN`; `unlisted_ports` the network ports of those that npu-smi does not list;
    `hccn_conf` the addresses by device id; `listening` the TCP ports in use of those that were asked about;
    `reserved_ports` what the kernel gives to nobody (ip_local_reserved_ports).
    """

    host: str
    name: str  # the host's own name for itself
    architecture: str
    clock: Clock
    soc: str | None = None  # of all its NPUs, as CANN spells it: "Ascend910B3"
    npus: tuple[Npu, ...] = ()
    device_nodes: tuple[int, ...] = ()
    closed_nodes: tuple[int, ...] = ()  # those of them that the user may not read and write
    unlisted_ports: Mapping[int, Port] = field(default_factory=dict)
    hccn_conf: Mapping[int, str] = field(default_factory=dict)
    packages: Mapping[str, Package] = field(default_factory=dict)
    filesystems: tuple[Filesystem, ...] = ()
    limits: Mapping[str, int | None] = field(default_factory=dict)
    listening: tuple[int, ...] = ()
    reserved_ports: tuple[tuple[int, int], ...] = ()
    paths: Mapping[str, PathKind] = field(default_factory=dict)
    addresses: tuple[str, ...] = ()  # of its own network cards
    interfaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # addresses by name, lo among them
    cpus: int | None = None
    memory: int | None = None  # bytes
    unread: tuple[Unread, ...] = ()
