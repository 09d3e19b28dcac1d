"""Whether the job fits into the devices' memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject
from launcher.hosts.report import Npu
from launcher.specs import Framework
from launcher.specs.memory import Needed, in_all, largest_first

_MB: Final = 1 << 20
_GB: Final = 1 << 30

# What the device's own system takes of the memory that npu-smi shows (samples of npu-smi info): nothing on the first
# Ascend 910, 3.2 to 3.4 GB on the others.
_IDLE: Final = 3500
_FIRST_910: Final = ("910A", "910ProA", "910PremiumA", "910B", "910ProB")
_TOLERANCE: Final = 1024  # MB that may be in use beyond that before it is worth a word
_FULL: Final = 0.9  # share of the memory in use above which no job will start

# MindSpore on a card of 32 GB: 31 GB in all, of which 5 GB are for variables by default, and 26 GB for operators.
_SMALL_CARD: Final = 33 << 10  # MB
_OPERATORS, _VARIABLES = 26 * _GB, 5 * _GB

# Of the parts of what a rank needs, the largest are named, until they make up this share; the others are added up.
_MOST_NAMED: Final = 3
_ENOUGH: Final = 0.9


def check_memory(subject: Subject) -> Iterator[Finding]:
    """What the recipe says that a rank needs against what the devices have, and what somebody holds of it already."""
    for host, device, npu in subject.npus:
        if npu.memory_total is None:
            continue
        has_rank = (host.name, device.id) in subject.ranks
        memory = subject.recipe.memory if subject.recipe is not None and has_rank else None
        found = _held(npu, npu.memory_total, memory) or _short(npu, npu.memory_total, memory, subject)
        if found is not None:
            yield found.at(host.name, device.id)


def _short(npu: Npu, total: int, memory: Needed | None, subject: Subject) -> Finding | None:
    if memory is None:
        return None
    needed, idle = in_all(memory), _idle(npu)
    wanted = f"{_gb(needed)} for a rank, as the recipe says (memory){_largest(memory)}"
    if needed > (total - idle) * _MB:
        of = f", of which the device itself takes {_gb(idle * _MB)}" if idle else ""
        return Finding(
            Severity.REFUSE if needed > total * _MB else Severity.WARN,
            Check.MEMORY,
            f"the device has {_gb(total * _MB)}{of}",
            wanted,
            "make the job smaller (batch size, recomputation, its largest parts), or use devices with more memory",
            source="npu-smi info",
        )
    is_mindspore = subject.recipe is not None and subject.recipe.framework is Framework.MINDSPORE
    if is_mindspore and total <= _SMALL_CARD and needed > _OPERATORS:
        return Finding(
            Severity.WARN,
            Check.MEMORY,
            f"of {_gb(total * _MB)}, MindSpore leaves about {_gb(_OPERATORS)} for operators and {_gb(_VARIABLES)} for "
            "variables by default (inferred)",
            wanted,
            "max_device_memory, or variable_memory_max_size before MindSpore 2, in mindspore.set_context(...)",
            source="MindSpore, context.py: variable_memory_max_size",
        )
    return None


def _held(npu: Npu, total: int, memory: Needed | None) -> Finding | None:
    """Memory in use that is neither the device's own nor that of processes which npu-smi names."""
    needed = in_all(memory) if memory is not None else None
    if npu.memory_used is None or any(process.memory is None for process in npu.processes):
        return None
    by_processes = sum(process.memory or 0 for process in npu.processes)
    if npu.memory_used - by_processes <= _idle(npu) + _TOLERANCE:
        return None
    free = (total - npu.memory_used) * _MB
    is_short = npu.memory_used > _FULL * total or (needed is not None and needed > free)
    return Finding(
        Severity.REFUSE if is_short else Severity.WARN,
        Check.MEMORY,
        f"{npu.memory_used} of {total} MB are in use, by nobody that npu-smi names",
        f"{_gb(needed)} free for a rank" if needed is not None else f"about {_idle(npu)} MB, by the device itself",
        "sudo fuser -v /dev/davinci{device}, which sees containers too; "
        f"npu-smi set -t reset -i {npu.card} -c {npu.chip}, when nobody has the device open",
        source="npu-smi info",
    )


def _largest(memory: Needed) -> str:
    """`: 102 GB local convolution, 14.7 GB fc6, 900 MB the rest`; empty for a memory without parts."""
    parts = largest_first(memory)
    told: list[str] = []
    left = needed = in_all(memory)
    for name, size in parts[:_MOST_NAMED]:
        if left > (1 - _ENOUGH) * needed:
            told.append(f"{_gb(size)} {name}")
            left -= size
    if parts[len(told) :]:
        told.append(f"{_gb(left)} the rest")
    return f": {', '.join(told)}" if told else ""


def _idle(npu: Npu) -> int:
    return 0 if npu.name.replace(" ", "").removeprefix("Ascend") in _FIRST_910 else _IDLE


def _gb(size: int) -> str:
    return f"{size / _GB:.3g} GB" if size >= _GB else f"{size / _MB:.3g} MB"
