"""What a simulated host is like: the content of its `state.json`, which code and people may change at any time."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any


class Live:
    """Attributes that take effect when they are assigned; a name that does not exist is an error."""

    changed: Callable[[], None] | None = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name != "changed" and name not in {known.name for known in fields(self)}:  # type: ignore[arg-type]
            raise AttributeError(f"{type(self).__name__} has no {name}; see tests/site/README.md")
        object.__setattr__(self, name, value)
        if name != "changed" and self.changed is not None:
            self.changed()


@dataclass(frozen=True)
class Process:
    """A process that has a device open. `name` may be empty, as inside containers; memory in MB."""

    pid: int
    name: str = "python3"
    memory: int = 1024
    in_table: bool = True  # npu-smi lists it
    in_proc: bool = True  # /proc/PID/fd shows it


@dataclass(frozen=True)
class ToolAnswer:
    """What a tool says instead of the truth: `code` is its exit code, `delay` how long it takes, in seconds."""

    text: str = ""
    code: int = 0
    delay: float = 0


@dataclass
class DeviceState(Live):
    """One NPU, or one die of an NPU of two (A3). Memory in MB, power in W, temperature in degrees Celsius."""

    id: int  # physical: /dev/davinciN, hccn_tool -i N
    card: int  # npu-smi -i
    chip: int  # npu-smi -c
    bus_id: str
    ip: str | None
    node: bool = True  # /dev/davinciN is there
    listed: bool = True  # npu-smi knows it
    health: str = "OK"  # OK, Warning, Alarm, Critical, UNKNOWN
    error_codes: tuple[str, ...] = ()
    error_information: tuple[str, ...] = ()
    power: float = 102.8
    temperature: int = 41
    aicore: int = 0
    ddr_used: int = 0
    hbm_used: int = 0
    processes: tuple[Process, ...] = ()
    netmask: str = "255.255.255.0"
    gateway: str | None = None
    link: str = "UP"  # UP, DOWN
    net_health: str = "Success"
    tls: bool = False
    optical: str = "present"  # present, not present, unreachable
    sdid: int | None = None  # A3
    cpus: str = "0-23"


@dataclass
class HostState(Live):
    """A host. `chip` is a key of `tests.site.chips.CHIPS`."""

    name: str
    address: str
    chip: str
    devices: tuple[DeviceState, ...]
    driver: str
    firmware: str
    cann: str | None
    driver_compatible: str  # compatible_version_fw of the driver: "[7.0.0,7.2.99]"
    firmware_compatible: str = ""  # compatible_version_drv of the firmware; empty: the driver's version
    nnae: str | None = None
    packages: dict[str, str] = field(default_factory=dict)  # of its python3: {"torch_npu": "2.1.0.post3"}
    architecture: str = "aarch64"
    clock_offset: float = 0.0  # seconds ahead of the real clock
    disk_free: dict[str, int] = field(default_factory=dict)  # bytes, by the path asked about or a folder above it
    missing: tuple[str, ...] = ()  # paths that this host does not have, with all below them
    listening: tuple[int, ...] = ()  # TCP ports
    reserved_ports: str = "60000-60031"
    limits: dict[str, int | None] = field(default_factory=dict)  # nofile, nproc, memlock, stack; None: unlimited
    addresses: tuple[str, ...] = ()  # of its network cards; empty: the host's address
    cpus: int = 192
    memory: int = 1536 * 1024**3
    super_pod: int | None = None  # A3
    server_index: int = 0
    hccn_conf: dict[str, str] | None = None  # device id to address; None: as the devices have it
    answers: dict[str, ToolAnswer] = field(default_factory=dict)  # "hccn_tool -i 3 -ip -g": what is said instead
    absent: tuple[str, ...] = ()  # tools that are not installed: npu-smi, hccn_tool, python3
    reach: str = "up"  # up, unreachable, hangs

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """Of its network cards, the loopback first."""
        return ("127.0.0.1", *(self.addresses or (self.address,)))

    def save(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        new = path.with_suffix(".new")
        values = asdict(self)
        new.write_text(json.dumps(values, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        new.replace(path)


def load_state(path: Path) -> HostState:
    """Read a `state.json`."""
    values = json.loads(path.read_text(encoding="utf-8"))
    devices = tuple(_device(entry) for entry in values.pop("devices"))
    answers = {command: ToolAnswer(**answer) for command, answer in values.pop("answers").items()}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return HostState(**{**values, **lists, "devices": devices, "answers": answers})


def _device(values: dict[str, Any]) -> DeviceState:
    processes = tuple(Process(**entry) for entry in values.pop("processes"))
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return DeviceState(**{**values, **lists, "processes": processes})
