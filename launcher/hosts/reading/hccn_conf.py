"""Reads `/etc/hccn.conf`: the addresses that were given to the devices' ports, `address_0=192.168.10.11`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from launcher.hosts.reading.text import is_address, plain_lines
from launcher.hosts.report import Unread

SOURCE: Final = "/etc/hccn.conf"

_LINE: Final = re.compile(r"\s*address_(\d{1,4})\s*=\s*(.*?)\s*", re.ASCII)


def read_hccn_conf(text: str, source: str = SOURCE) -> tuple[Mapping[int, str], tuple[Unread, ...]]:
    """Device id to address, and the address lines that are not understood; other keys and comments are passed over.

    A device with two different addresses has none here.
    """
    found: dict[int, str] = {}
    unread, twice = [], set()
    for number, line in enumerate(plain_lines(text), 1):
        if not line.strip().startswith("address_"):
            continue
        match = _LINE.fullmatch(line)
        if not match or not is_address(match[2]):
            unread.append(Unread(f"{source}:{number}", "it is no address_N=IP", line.strip()))
        elif found.setdefault(int(match[1]), match[2]) != match[2]:
            twice.add(int(match[1]))
            unread.append(Unread(f"{source}:{number}", f"device {match[1]} has another address above", line.strip()))
    return {device: address for device, address in found.items() if device not in twice}, tuple(unread)
