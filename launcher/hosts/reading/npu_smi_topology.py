"""Reads `npu-smi info -t topo`: how NPUs are joined, and which CPUs are near to each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from launcher.hosts.reading.ranges import read_ranges
from launcher.hosts.reading.text import excerpt, is_nothing, plain_lines
from launcher.hosts.report import Unread

SOURCE: Final = "npu-smi info -t topo"

_NPU: Final = re.compile(r"(?:NPU|Phy-ID|PhyID|Die)\s?(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Topology:
    """`links[a][b]` is how NPU a reaches NPU b: HCCS, SYS, PHB, PIX, PXB, SIO, HCCS_SW, NA, X. `cpus` may lack NPUs."""

    links: Mapping[int, Mapping[int, str]]
    cpus: Mapping[int, tuple[int, ...]]


def read_topology(text: str) -> Topology | Unread:
    """The matrix. Unread when a row does not have as many cells as the head has names."""
    lines = [line.strip() for line in plain_lines(text)]
    start = next((n for n, line in enumerate(lines) if len(_NPU.findall(line)) and _is_head(line)), None)
    if start is None:
        return Unread(SOURCE, "there is no line that names the NPUs", excerpt(text))
    names = [int(number) for number in _NPU.findall(lines[start])]
    has_cpus = "CPU Affinity" in lines[start]
    links: dict[int, dict[int, str]] = {}
    cpus: dict[int, tuple[int, ...]] = {}
    for line in lines[start + 1 :]:
        match = _NPU.match(line)
        if not match:
            if links and line.startswith("Legend"):
                break
            continue
        cells = line[match.end() :].split()
        if len(cells) not in (len(names), len(names) + has_cpus) or int(match[1]) in links:
            return Unread(SOURCE, "a row does not have the columns of the first line", line)
        links[int(match[1])] = dict(zip(names, cells, strict=False))
        near = cells[len(names)] if len(cells) > len(names) else ""
        if not is_nothing(near):
            ranges = read_ranges(near)
            if ranges is None:
                return Unread(SOURCE, "the CPU affinity is no list of CPUs", line)
            cpus[int(match[1])] = tuple(cpu for first, last in ranges for cpu in range(first, last + 1))
    if set(links) != set(names):
        return Unread(SOURCE, "it does not have a row for every NPU that it names", excerpt(text))
    return Topology(links, cpus)


def _is_head(line: str) -> bool:
    """Whether a line has nothing but names of NPUs and of the last column."""
    return not re.sub(r"CPU Affinity|[,:]", "", _NPU.sub("", line)).split()
