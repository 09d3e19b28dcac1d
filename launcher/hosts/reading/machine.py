"""Reads what the kernel says of a machine: addresses, limits, reserved ports, memory, CPUs."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

from launcher.hosts.reading.ranges import read_ranges
from launcher.hosts.reading.text import whole

_LIMITS: Final = {
    "Max open files": "nofile",
    "Max processes": "nproc",
    "Max locked memory": "memlock",
    "Max stack size": "stack",
}


def read_limits(text: str) -> Mapping[str, int | None]:
    """The soft limits of `/proc/PID/limits`, by the names of ulimit; None: unlimited."""
    found: dict[str, int | None] = {}
    for line in text.splitlines():
        for words, name in _LIMITS.items():
            soft = line[len(words) :].split()[:1] if line.startswith(words) else []
            if soft == ["unlimited"]:
                found[name] = None
            elif soft and (value := whole(soft[0])) is not None:
                found[name] = value
    return found


def read_addresses(fib_trie: str, if_inet6: str) -> tuple[str, ...]:
    """The machine's own addresses, loopback left out, of `/proc/net/fib_trie` and `/proc/net/if_inet6`."""
    found = []
    leaf = ""
    for line in fib_trie.splitlines():
        if match := re.search(r"\|--\s+([0-9.]+)\s*$", line):
            leaf = match[1]
        elif line.split() == ["/32", "host", "LOCAL"]:
            found.append(leaf)
    for line in if_inet6.splitlines():
        digits = line.split()[:1]
        if digits and re.fullmatch(r"[0-9a-f]{32}", digits[0]):
            found.append(str(ipaddress.IPv6Address(int(digits[0], 16))))
    return tuple(dict.fromkeys(address for address in found if _is_outward(address)))


def _is_outward(address: str) -> bool:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return False
    return not known.is_loopback and not known.is_link_local


def read_memory(meminfo: str) -> int | None:
    """All memory in bytes, `MemTotal` of `/proc/meminfo`."""
    match = re.search(r"^MemTotal:\s+(\d{1,15}) kB$", meminfo, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def count_cpus(online: str) -> int | None:
    """How many CPUs `/sys/devices/system/cpu/online` lists."""
    ranges = read_ranges(online)
    return sum(last - first + 1 for first, last in ranges) if ranges else None
