"""Findings and hosts in words. What hosts said stands in them as they said it: who prints it makes it harmless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from launcher.errors import InfrastructureError, NpuLaunchError, PreflightError
from launcher.hosts.preflight.finding import Check
from launcher.hosts.preflight.grouping import Group
from launcher.hosts.report import Health, HostReport
from launcher.specs import Host

_PACKAGES: Final = {
    "driver": "driver",
    "firmware": "firmware",
    "cann": "CANN",
    "nnae": "NNAE",
    "mindspore": "MindSpore",
    "torch": "torch",
    "torch_npu": "torch_npu",
    "tensorflow": "TensorFlow",
    "python": "Python",
}
_OF_THE_MACHINE: Final = frozenset({Check.SPACE, Check.PORTS})


def block(group: Group) -> str:
    """A finding as errors are told: `severity  where: seen`, then expected, remedy and source."""
    where = f"{group.where}: " if group.where else ""
    parts = [f"{group.severity.value:<6}  {where}{group.seen}"]
    more = (("expected", group.expected), ("remedy", group.remedy), ("source", group.source))
    parts += [f"  {name:<8}  {text}" for name, text in more if text]
    return "\n".join(parts)


def in_one_line(group: Group) -> str:
    """A finding in one line: where, what, and what to do."""
    where = f"{group.where}: " if group.where else ""
    return f"{where}{group.seen}{f' ({group.remedy})' if group.remedy else ''}"


def refusal(groups: Sequence[Group]) -> NpuLaunchError:
    """The error of a run that these findings refuse.

    A full disk and a taken port alone are an InfrastructureError, which they are too when they show up later.
    """
    kind = InfrastructureError if _OF_THE_MACHINE.issuperset(group.check for group in groups) else PreflightError
    if len(groups) == 1:
        (group,) = groups
        return kind(group.seen, where=group.where, expected=group.expected, remedy=group.remedy)
    return kind(f"preflight refuses this run for {len(groups)} reasons\n" + "\n".join(map(block, groups)))


def host_line(host: Host, answer: HostReport | NpuLaunchError | None) -> str:
    """What a host was found to be, in one line."""
    parts = [host.name, host.address]
    if not isinstance(answer, HostReport):
        return "  ".join([*parts, "no answer"])
    kinds = Counter(npu.name for npu in answer.npus)
    parts += [f"{count} x {name}" for name, count in kinds.items()]
    if answer.npus:
        unwell = [npu.id for npu in answer.npus if npu.health is not Health.OK]
        parts.append(f"{len(unwell)} not well" if unwell else "all OK")
    elif answer.device_nodes:
        parts.append(f"{len(answer.device_nodes)} devices that npu-smi did not tell of")
    parts += [
        f"{label} {answer.packages[name].version}" for name, label in _PACKAGES.items() if name in answer.packages
    ]
    return "  ".join([*parts, answer.architecture])
