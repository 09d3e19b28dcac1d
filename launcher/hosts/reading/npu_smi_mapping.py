"""Reads `npu-smi info -m` and `-l`: which NPUs and chips there are, and what their numbers are.

Columns of -m: `NPU ID, Chip ID, Chip Logic ID, Chip Name` (910A, 910B), with `Chip Phy-ID` before the name (A3), or
`NPU ID, Slot ID, Chip ID, Chip Phy-ID, Chip Name` (A5): Ascend/mind-cluster, ascend_fd_tk chip_generation.py.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from launcher.hosts.reading.npu_smi_fields import key_values
from launcher.hosts.reading.text import excerpt, is_nothing, plain_lines, whole
from launcher.hosts.report import Unread

SOURCE: Final = "npu-smi info -m"


@dataclass(frozen=True)
class MappedChip:
    """A row: the numbers of a chip by their names, and its name as it is written (`Ascend 910B3`)."""

    card: int
    chip: int
    logical: int | None
    physical: int | None
    name: str

    @property
    def soc(self) -> str:
        """The name as CANN spells it: `Ascend 910B3` is Ascend910B3."""
        return self.name.replace(" ", "")


@dataclass(frozen=True)
class Card:
    """An entry of `npu-smi info -l`."""

    id: int
    chips: int | None
    product: str | None
    serial: str | None


def read_mapping(text: str) -> tuple[MappedChip, ...] | Unread:
    """The chips; rows of the management chip (`Mcu`) do not count. Unread when a row is not understood."""
    rows = [re.split(r"\s{2,}", line.strip()) for line in plain_lines(text)]
    start = next(
        (n for n, row in enumerate(rows) if row[0] == "NPU ID" and "Chip Name" in row and "Chip ID" in row), None
    )
    if start is None:
        return Unread(SOURCE, "there is no line with NPU ID, Chip ID and Chip Name", excerpt(text))
    found = []
    for row in rows[start + 1 :]:
        if whole(row[0]) is None:
            continue  # an empty line, or talk after the table
        values = dict(zip(rows[start], row, strict=False))
        card, chip, name = whole(row[0]), whole(values.get("Chip ID", "")), values.get("Chip Name", "")
        if len(row) != len(rows[start]) or card is None or chip is None or not name:
            return Unread(SOURCE, "a row does not have the columns of the first line", "   ".join(row))
        if name.casefold() == "mcu":
            continue
        numbers = {key: values.get(key, "-") for key in ("Chip Logic ID", "Chip Phy-ID")}
        if any(whole(number) is None and not is_nothing(number) for number in numbers.values()):
            return Unread(SOURCE, "an id is no number", "   ".join(row))
        found.append(MappedChip(card, chip, whole(numbers["Chip Logic ID"]), whole(numbers["Chip Phy-ID"]), name))
    return tuple(found)


def read_list(text: str) -> tuple[Card, ...] | Unread:
    """The cards that `npu-smi info -l` lists. Unread when they are not as many as it says."""
    cards: list[dict[str, str]] = []
    total = None
    for key, value in key_values(text):
        if key == "Total Count":
            total = whole(value)
        elif key == "NPU ID":
            cards.append({key: value})
        elif cards:
            cards[-1].setdefault(key, value)
    found = tuple(
        Card(number, whole(card.get("Chip Count", "")), card.get("Product Name"), card.get("Serial Number"))
        for card in cards
        if (number := whole(card["NPU ID"])) is not None
    )
    if total is None or total != len(found):
        said = "no Total Count" if total is None else f"a Total Count of {total}"
        return Unread("npu-smi info -l", f"{said}, and {len(found)} NPUs that are understood", excerpt(text))
    return found
