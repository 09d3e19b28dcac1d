"""Puts together what npu-smi, hccn_tool and /proc say of each NPU."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from launcher.hosts.reading.commands import Commands
from launcher.hosts.reading.hccn_tool import read_ip, read_link, read_net_health, read_tls
from launcher.hosts.reading.npu_smi_fields import board_soc, read_board, read_health, read_super_pod
from launcher.hosts.reading.npu_smi_info import Chip, read_info
from launcher.hosts.reading.npu_smi_mapping import MappedChip, read_mapping
from launcher.hosts.reading.npu_smi_topology import read_topology
from launcher.hosts.report import Health, Npu, NpuProcess, Port, Unread

_AMBIGUOUS: Final = "Ascend910"  # what A3 calls its chips, whose number only the board tells


@dataclass(frozen=True)
class Npus:
    """The NPUs of a host by physical id; `driver` is what the table's head says.

    `unlisted_ports` are the network ports of device nodes that npu-smi does not list.
    """

    soc: str | None
    driver: str | None
    npus: tuple[Npu, ...]
    unlisted_ports: Mapping[int, Port]
    unread: tuple[Unread, ...]


def read_npus(commands: Commands, nodes: Collection[int], holders: Sequence[tuple[int, str, int]]) -> Npus:
    """The NPUs that npu-smi lists. `holders` are (pid, name, device id) of processes that have a node open."""
    info = commands.read("npu-smi info", read_info)
    mapped = commands.read("npu-smi info -m", read_mapping) or ()
    topology = commands.read("npu-smi info -t topo", read_topology)
    unread = list(info.unread) if info else []
    npus = []
    for chip in info.chips if info else ():
        number = _physical_id(chip, info.chips if info else (), mapped, nodes)
        if number is None:
            unread.append(
                Unread(
                    "npu-smi info",
                    f"which /dev/davinciN NPU {chip.card} chip {chip.chip} is cannot be told",
                    f"nodes: {', '.join(map(str, sorted(nodes))) or 'none'}",
                )
            )
            continue
        npu = replace(_npu(chip, number, commands), port=_port(number, commands))
        listed = (
            [process for card, die, process in info.processes if (card, die) == (chip.card, chip.chip)] if info else []
        )
        seen = {process.pid for process in listed}
        more = [NpuProcess(pid, name, None) for pid, name, device in holders if device == number and pid not in seen]
        cpus = topology.cpus.get(number) if topology else None
        npus.append(replace(npu, processes=(*listed, *more), cpus=cpus))
    driver = info.driver if info else None
    soc = _soc(info.chips if info else (), mapped, commands)
    unlisted = sorted(set(nodes) - {npu.id for npu in npus})
    ports = {number: port for number in unlisted if (port := _port(number, commands)) is not None}
    return Npus(soc, driver, tuple(sorted(npus, key=lambda npu: npu.id)), ports, (*unread, *commands.unread))


def _physical_id(chip: Chip, chips: Sequence[Chip], mapped: Sequence[MappedChip], nodes: Collection[int]) -> int | None:
    """The N of /dev/davinciN: the Phy-ID where npu-smi gives it; else, with one chip an NPU, the NPU's own number, and
    with more the logical one. A container that shows some of the NPUs numbers the logical ones anew, and keeps those of
    the nodes: so it counts only what the nodes bear out.
    """
    known = next((entry for entry in mapped if (entry.card, entry.chip) == (chip.card, chip.chip)), None)
    if chip.id is not None:
        return chip.id
    if known is not None and known.physical is not None:
        return known.physical
    is_single = len({one.card for one in chips}) == len(chips)
    if is_single:
        return chip.card if chip.card in nodes or set(nodes) <= {one.card for one in chips} else None
    return known.logical if known is not None and set(nodes) <= {entry.logical for entry in mapped} else None


def _npu(chip: Chip, number: int, commands: Commands) -> Npu:
    which = f"-i {chip.card} -c {chip.chip}"
    health = commands.read(f"npu-smi info -t health {which}", read_health)
    pod = commands.read(f"npu-smi info -t spod-info {which}", read_super_pod)
    used, total = (chip.hbm if chip.hbm and chip.hbm[1] else chip.ddr) or (None, None)
    return Npu(
        id=number,
        card=chip.card,
        chip=chip.chip,
        name=chip.name,
        health=chip.health or Health.UNKNOWN,
        error_codes=health.codes if health else (),
        bus_id=chip.bus_id,
        power=chip.power,
        temperature=chip.temperature,
        aicore=chip.aicore,
        memory_used=used,
        memory_total=total,
        super_device_id=pod.sdid if pod else None,
        super_pod_id=pod.id if pod else None,
    )


def _port(number: int, commands: Commands) -> Port | None:
    """The device's port, as far as it was asked about; None where nothing of it was understood."""
    asked = f"hccn_tool -i {number}"
    address = commands.read(f"{asked} -ip -g", read_ip)
    link = commands.read(f"{asked} -link -g", read_link)
    health = commands.read(f"{asked} -net_health -g", read_net_health)
    tls = commands.read(f"{asked} -tls -g", read_tls)
    if address is None and link is None and health is None and tls is None:
        return None
    return Port(address.ip if address else None, address.netmask if address else None, link, health, tls)


def _soc(chips: Sequence[Chip], mapped: Sequence[MappedChip], commands: Commands) -> str | None:
    """The one SoC of all chips: of -m, else of the table; of A3 the board's. None when they differ or none is told."""
    names = {chip.soc for chip in mapped if chip.name.startswith("Ascend")}
    if not names:
        names = {chip.name.replace(" ", "") for chip in chips}
        names = {name if name.startswith("Ascend") else f"Ascend{name}" for name in names}
    if names == {_AMBIGUOUS}:
        board = (
            commands.read(f"npu-smi info -t board -i {chips[0].card} -c {chips[0].chip}", read_board) if chips else None
        )
        found = board_soc(board) if board else None
        return None if found == _AMBIGUOUS else found
    return names.pop() if len(names) == 1 else None
