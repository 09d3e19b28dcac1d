"""Reads the table of `npu-smi info`.

Columns are found by the names in its head, so that wider, narrower and additional ones do no harm. Layouts known: 20.2
(910A), 21.0 to 23.0.rc1, 23.0 to 25.x, two dies an NPU with Phy-ID (A3), and the wide one of 26.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from launcher.hosts.reading.text import decimal, excerpt, is_nothing, plain_lines, whole
from launcher.hosts.report import Health, NpuProcess, Unread

SOURCE: Final = "npu-smi info"

_PAIR: Final = re.compile(r"(\d+)\s*/\s*(\d+)")
_BUS: Final = re.compile(r"[0-9A-Fa-f]{4}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2}\.[0-9A-Fa-f]")
_VERSION: Final = re.compile(r"Version:\s*([A-Za-z0-9._-]+)")


@dataclass(frozen=True)
class Chip:
    """One row pair of the table. Memory in MB as (used, total); what the table does not tell is None."""

    card: int
    chip: int
    name: str
    health: Health | None
    id: int | None = None  # Phy-ID, only where an NPU has two dies
    bus_id: str | None = None
    power: float | None = None
    temperature: float | None = None
    aicore: int | None = None
    ddr: tuple[int, int] | None = None
    hbm: tuple[int, int] | None = None


@dataclass(frozen=True)
class Info:
    """The whole table: `driver` is the Version in its head, processes are by (card, chip)."""

    driver: str | None
    chips: tuple[Chip, ...]
    processes: tuple[tuple[int, int, NpuProcess], ...] = ()
    unread: tuple[Unread, ...] = ()


@dataclass
class _Reading:
    chips: list[Chip] = field(default_factory=list)
    processes: list[tuple[int, int, NpuProcess]] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def leave(self, reason: str, text: str) -> None:
        self.unread.append(Unread(SOURCE, reason, excerpt(text)))


def read_info(text: str) -> Info | Unread:
    """The table, with what of it was not understood; Unread when there is no table at all."""
    reading = _Reading()
    heads: list[list[list[str]]] = []
    names: list[list[str]] = []
    part = "title"
    for block in _blocks(plain_lines(text)):
        rows = [_cells(line) for line in block]
        first = rows[0][0].split() if rows[0] else []
        if part != "processes" and len(rows) == 2 and {"NPU", "Name"} <= set(first) and "Health" in rows[0]:
            heads, part = [[cell.split() for cell in row] for row in rows], "chips"
            names = rows
        elif len(rows) == 1 and first[:1] == ["NPU"] and any(cell.casefold().startswith("process") for cell in rows[0]):
            names, part = rows, "processes"
        elif part == "chips":
            _read_chip(reading, block, rows, heads)
        elif part == "processes":
            _read_processes(reading, block, rows, names[0])
    if not heads:
        return Unread(SOURCE, "there is no table of NPUs in it", excerpt(text))
    version = _VERSION.search(text)
    return Info(version[1] if version else None, tuple(reading.chips), tuple(reading.processes), tuple(reading.unread))


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """The rows between two rules; what stands around the table is no part of it."""
    block: list[str] = []
    for line in map(str.strip, lines):
        if line.startswith("+"):
            if block:
                yield block
            block = []
        elif line.startswith("|"):
            block.append(line)
    if block:
        yield block


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def _read_chip(reading: _Reading, block: list[str], rows: list[list[str]], heads: list[list[list[str]]]) -> None:
    text = "\n".join(block)
    if len(rows) != 2 or not all(line.endswith("|") for line in block):
        reading.leave("rows of one chip were expected: two, each with its end", text)
        return
    values = _named(heads[0], rows[0]), _named(heads[1], rows[1])
    if values[0] is None or values[1] is None:
        reading.leave("its columns are not those of the table's head", text)
        return
    found = {**values[1], **values[0]}
    card, chip = whole(found.get("NPU", "")), whole(found.get("Chip", ""))
    if card is None or chip is None or not found.get("Name"):
        reading.leave("NPU, Name or Chip is not there", text)
        return
    number = whole(found.get("Phy-ID", ""))
    if any((one.card, one.chip) == (card, chip) or one.id == number is not None for one in reading.chips):
        reading.leave("the same chip, or Phy-ID, is in the table twice", text)
        return
    health = _health(found.get("Health", ""))
    if health is None:
        reading.leave(f"the health {found.get('Health', '')!r} is none that npu-smi documents", text)
    odd = [
        name
        for name, value in found.items()
        if name not in ("NPU", "Chip", "Name", "Health") and not is_nothing(value) and not _is_sound(name, value)
    ]
    if odd:
        reading.leave(f"no value that is understood: {', '.join(odd)}", text)
    bus = found.get("Bus-Id", "")
    reading.chips.append(
        Chip(
            card,
            chip,
            found["Name"],
            health,
            id=number,
            bus_id=bus if _BUS.fullmatch(bus) else None,
            power=decimal(found.get("Power(W)", "")),
            temperature=decimal(found.get("Temp(C)", "")),
            aicore=whole(found.get("AICore(%)", "")),
            ddr=_pair(found.get("Memory-Usage(MB)", "")),
            hbm=_pair(found.get("HBM-Usage(MB)", "")),
        )
    )


def _named(head: list[list[str]], row: list[str]) -> dict[str, str] | None:
    """The row's values by the names above them; None when they cannot be told apart.

    A name of two words (`Ascend 910B3`) is the only value that may hold a blank without being a pair.
    """
    if len(head) != len(row):
        return None
    found: dict[str, str] = {}
    for names, cell in zip(head, row, strict=True):
        values = _PAIR.sub(r"\1/\2", cell).split()
        if names == ["NPU", "Name"] and len(values) > 2:
            values = [values[0], " ".join(values[1:])]
        if not values and len(names) == 1:
            values = [""]
        if len(values) != len(names):
            return None
        found.update(zip(names, values, strict=True))
    return found


def _is_sound(name: str, value: str) -> bool:
    if name == "Bus-Id":
        return _BUS.fullmatch(value) is not None
    if name in ("Memory-Usage(MB)", "HBM-Usage(MB)"):
        return _pair(value) is not None
    if name in ("Power(W)", "Temp(C)"):
        return decimal(value) is not None
    return name not in ("AICore(%)", "Phy-ID") or whole(value) is not None


def _pair(value: str) -> tuple[int, int] | None:
    match = _PAIR.fullmatch(value)
    used, total = (whole(match[1]), whole(match[2])) if match else (None, None)
    return None if used is None or total is None else (used, total)


def _health(value: str) -> Health | None:
    return next((health for health in Health if health.value.casefold() == value.casefold()), None)


def _read_processes(reading: _Reading, block: list[str], rows: list[list[str]], head: list[str]) -> None:
    """Rows `NPU Chip | Process id | Process name | Process memory(MB)`; the name may be blank, inside containers."""
    columns = {name.casefold(): number for number, name in enumerate(head)}
    for line, row in zip(block, rows, strict=True):
        if row[0].casefold().startswith("no running process"):
            continue
        place = [whole(word) for word in row[0].split()]
        pid_at, name_at = columns.get("process id"), columns.get("process name")
        memory_at = columns.get("process memory(mb)")
        pid = whole(row[pid_at]) if pid_at is not None and len(row) == len(head) and line.endswith("|") else None
        if pid is None or len(place) != 2 or place[0] is None or place[1] is None:
            reading.leave("it is no row of a process", line)
            continue
        name = row[name_at] if name_at is not None else ""
        memory = whole(row[memory_at]) if memory_at is not None else None
        reading.processes.append((place[0], place[1], NpuProcess(pid, name, memory)))
