"""Reads the `key : value` answers of `npu-smi info -t usages|memory|common|health|board|product|spod-info`.

Keys and layouts: Ascend/mind-cluster, faultdiag 03_collecting_logs.md; hiascend npu-smi reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from launcher.hosts.reading.text import excerpt, is_nothing, plain_lines, whole
from launcher.hosts.report import Health, Unread

_CODE = re.compile(r"(?:0[xX])?([0-9A-Fa-f]{8})")


@dataclass(frozen=True)
class ChipHealth:
    """`-t health -c`: status, codes of the faults (hexadecimal, without 0x) and what is said of them."""

    status: Health
    codes: tuple[str, ...]
    information: tuple[str, ...]


@dataclass(frozen=True)
class SuperPod:
    """`-t spod-info` (A3): the ids are texts, as rank tables want them."""

    sdid: str
    size: int | None
    id: str | None
    server_index: int | None


def key_values(text: str) -> Iterator[tuple[str, str]]:
    """(key, value) line by line; a line whose key is empty goes on with the value above, with the empty key."""
    for line in plain_lines(text):
        key, colon, value = line.partition(":")
        if colon:
            yield key.strip(), value.strip()


def read_chips(text: str, source: str) -> tuple[Mapping[str, str], ...] | Unread:
    """Usages, memory or common: the values of each chip by their keys, what belongs to the whole NPU in each of them.

    A chip's values come before its `Chip ID` (usages, memory) or after it (common). Values that say that there is none
    (`NA`, `-`) are left out.
    """
    card: dict[str, str] = {}
    chips: list[dict[str, str]] = [{}]
    for key, value in key_values(text):
        if key in ("NPU ID", "Chip Count"):
            card[key] = value
        elif key and key in chips[-1]:
            chips.append({key: value})
        elif key:
            chips[-1][key] = value
    if "NPU ID" not in card or not chips[0] or any(whole(chip.get("Chip ID", "")) is None for chip in chips):
        return Unread(source, "there is no NPU ID, or no Chip ID for each part of it", excerpt(text))
    return tuple({**card, **{key: value for key, value in chip.items() if not is_nothing(value)}} for chip in chips)


def read_health(text: str) -> ChipHealth | Unread:
    """Health of one chip, also of a card (`Health : OK`), whose answer has no codes."""
    source = "npu-smi info -t health"
    last, found = "", dict[str, list[str]]()
    for key, value in key_values(text):
        last = key or last
        found.setdefault(last, []).append(value)
    said = (found.get("Health Status") or found.get("Health") or [""])[0]
    status = next((health for health in Health if health.value.casefold() == said.casefold()), None)
    if status is None:
        return Unread(source, "there is no health that npu-smi documents", excerpt(text))
    words = [word for line in found.get("Error Code", []) if not is_nothing(line) for word in re.split(r"[\s,]+", line)]
    codes = [_CODE.fullmatch(word) for word in words if word]
    if not all(codes):
        return Unread(source, "an error code is no hexadecimal number of eight digits", excerpt(text))
    information = tuple(line for line in found.get("Error Information", []) if not is_nothing(line))
    return ChipHealth(status, tuple(match[1] for match in codes if match), information)


def read_board(text: str) -> Mapping[str, str] | Unread:
    """What `-t board` says, by its keys."""
    found = {key: value for key, value in key_values(text) if key and not is_nothing(value)}
    if "NPU ID" not in found:
        return Unread("npu-smi info -t board", "there is no NPU ID", excerpt(text))
    return found


def board_soc(board: Mapping[str, str]) -> str | None:
    """The SoC of a chip's board: Chip Type and Chip Name (A2: Ascend910B4), or Chip Name and NPU Name (A3:
    Ascend910_9392), as the CANN samples' guide to SoC names has it; None where the answer has neither pair.
    """
    name = board.get("Chip Name", "").replace(" ", "")
    if not name:
        return None
    if number := board.get("NPU Name"):
        return f"{name}_{number}" if name.startswith("Ascend") else None
    if name.startswith("Ascend"):
        return name
    return f"Ascend{name}" if board.get("Chip Type") == "Ascend" else None


def read_product(text: str) -> str | Unread:
    """The product of `-t product`, which not every board supports."""
    for key, value in key_values(text):
        if key == "Product Type" and not is_nothing(value):
            return value
    return Unread("npu-smi info -t product", "there is no Product Type", excerpt(text))


def read_super_pod(text: str) -> SuperPod | Unread:
    """The place of a chip in its super pod. Unread without a numeric SDID."""
    found = dict(key_values(text))
    sdid, pod = found.get("SDID", ""), found.get("Super Pod ID", "")
    if whole(sdid) is None:
        return Unread("npu-smi info -t spod-info", "there is no SDID that is a number", excerpt(text))
    size, index = whole(found.get("Super Pod Size", "")), whole(found.get("Server Index", ""))
    return SuperPod(sdid, size, pod if whole(pod) is not None else None, index)
