"""Simulated hosts with Ascend NPUs, for tests and for people who have none at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from launcher.errors import InfrastructureError
from launcher.hosts.reach import Answer, Reach, ThisMachine
from launcher.specs import Cluster, Device, Host
from tests.site.building import build
from tests.site.chips import CHIPS
from tests.site.files import cann_path
from tests.site.state import DeviceState, HostState, ToolAnswer, load_state


class SimulatedHost:
    """One host: change `state` and `device(N)` at any time; what it answers follows at once."""

    def __init__(self, folder: Path, state: HostState) -> None:
        self.folder = folder
        self.state = state
        self._held = False
        self._watch()
        self._changed()

    @property
    def name(self) -> str:
        return self.state.name

    @property
    def root(self) -> Path:
        """The host's own files: root/etc/hccn.conf, root/usr/local/Ascend/driver/version.info, ..."""
        return self.folder / "root"

    @property
    def bin(self) -> Path:
        """Its npu-smi, hccn_tool and python3."""
        return self.folder / "bin"

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process needs to take this machine for the host."""
        return {"PATH": f"{self.bin}:{os.environ['PATH']}", "NPU_LAUNCH_ROOT": str(self.root)}

    def device(self, number: int) -> DeviceState:
        """The device with this physical id."""
        return next(device for device in self.state.devices if device.id == number)

    def answer(self, command: str, text: str = "", *, code: int = 0, delay: float = 0) -> None:
        """Let a tool say something else: `answer("hccn_tool -i 3 -ip -g", "", code=1)`."""
        self.state.answers = {**self.state.answers, command: ToolAnswer(text, code, delay)}

    def set(self, **values: Any) -> None:
        """Assign several attributes of the host's state, and build it once."""
        with self.changing():
            for name, value in values.items():
                setattr(self.state, name, value)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Many changes, one build."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
            self._changed()

    def _watch(self) -> None:
        for part in (self.state, *self.state.devices):
            part.changed = self._changed

    def _changed(self) -> None:
        if self._held:
            return
        self._watch()
        self.state.save(self.folder / "state.json")
        build(self.folder)


class Site:
    """Hosts below one folder; made anew, or found there as they were left.

    `hosts` is their number, `chip` a key of `tests.site.chips.CHIPS`; `state` gives attributes of HostState for all.
    """

    def __init__(
        self, folder: Path, hosts: int = 1, chip: str = "910B3", devices: int | None = None, **state: Any
    ) -> None:
        self.folder = folder
        self.hosts = tuple(
            _make(folder / name, number, name, chip, devices, state)
            for number, name in enumerate(f"node-{number:03d}" for number in range(1, hosts + 1))
        )

    def host(self, name: str) -> SimulatedHost:
        """The host of this name."""
        return next(host for host in self.hosts if host.name == name)

    def cluster(self, **fields: Any) -> Cluster:
        """The site as a cluster spec would describe it; `fields` replace or add to the cluster's own."""
        first = self.hosts[0].state
        hosts = tuple(_host(host.state) for host in self.hosts)
        values: dict[str, Any] = {"name": "site", "soc": CHIPS[first.chip].soc, "hosts": hosts}
        if first.cann:
            values["cann"] = cann_path(first.cann)
        return Cluster(**{**values, **fields})

    def reach(self, host: Host | SimulatedHost | str) -> Reach:
        """A way to a host, by its name or address; fits `open_reach`."""
        wanted = {host} if isinstance(host, str) else {host.name}
        if isinstance(host, Host):
            wanted.add(host.address)
        return _SimulatedReach(next(one for one in self.hosts if wanted & {one.name, one.state.address}))


class _SimulatedReach:
    def __init__(self, host: SimulatedHost) -> None:
        self._host = host

    def run(self, argv: Sequence[str], *, input: bytes = b"", timeout: float) -> Answer:
        if self._host.state.reach == "unreachable":
            raise InfrastructureError(f"{self._host.name} ({self._host.state.address}) cannot be reached: no route")
        return ThisMachine(self._host.environment).run(argv, input=input, timeout=timeout)

    def close(self) -> None:
        pass


def _host(state: HostState) -> Host:
    devices = tuple(
        Device(id=device.id, ip=device.ip, super_device_id=None if device.sdid is None else str(device.sdid))
        for device in state.devices
    )
    pod = None if state.super_pod is None else str(state.super_pod)
    return Host(name=state.name, address=state.address, devices=devices, super_pod=pod)


def _make(
    folder: Path, number: int, name: str, chip: str, devices: int | None, more: Mapping[str, Any]
) -> SimulatedHost:
    if (folder / "state.json").exists():
        return SimulatedHost(folder, load_state(folder / "state.json"))
    folder.mkdir(parents=True)
    kind = CHIPS[chip]
    count = kind.cards * kind.chips if devices is None else devices
    state = HostState(
        **{
            "name": name,
            "address": f"10.0.{number // 250}.{number % 250 + 1}",
            "chip": chip,
            "devices": tuple(_device(number, device, chip) for device in range(count)),
            "driver": kind.driver,
            "firmware": kind.firmware,
            "driver_compatible": kind.firmware_range,
            "cann": kind.cann,
            "super_pod": 0 if kind.chips == 2 else None,
            "server_index": number,
            **more,
        }
    )
    return SimulatedHost(folder, state)


def _device(host: int, number: int, chip: str) -> DeviceState:
    """A healthy device. Of 910A, cards i and i+4 share one of four nets, as Huawei plans them."""
    kind = CHIPS[chip]
    net, place = (number % 4, 2 * host + number // 4) if kind.is_first else (number, host)
    prefix = f"192.{1 + net}.{place // 250}"
    return DeviceState(
        id=number,
        card=number // kind.chips,
        chip=number % kind.chips,
        bus_id=f"0000:{kind.buses[number % len(kind.buses)]}:00.0",
        ip=f"{prefix}.{place % 250 + 1}",
        gateway=f"{prefix}.254",
        ddr_used=591 if kind.is_first else 0,
        hbm_used=kind.idle_hbm,
        power=68.6 if kind.is_first else 102.8,
        sdid=(host << 22) + ((number // 2) << 18) + number if kind.chips == 2 else None,
        cpus=f"{24 * (number // 2)}-{24 * (number // 2) + 23}",
    )
