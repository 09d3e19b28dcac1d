"""The processors near to each of a host's NPUs, from what `npu-smi info -t topo` answered."""

from __future__ import annotations

from launcher.hosts.reach import Answer
from launcher.hosts.reading.npu_smi_topology import read_topology
from launcher.hosts.report import Unread

NearCpus = tuple[tuple[str, int, tuple[int, ...]], ...]


def near_cpus(host: str, answer: Answer) -> tuple[NearCpus, str]:
    """(host, device id, processors) of each NPU that has some, and a sentence when the answer cannot be understood.

    A driver that has no such query leaves nothing to bind to, and that is no trouble: ranks run where Linux puts them.
    """
    if answer.code != 0:
        return (), ""
    topology = read_topology(answer.stdout.decode(errors="replace"))
    if isinstance(topology, Unread):
        return (), f"ranks on {host} are not bound to processors: {topology.source}: {topology.reason}"
    return tuple((host, device, cpus) for device, cpus in sorted(topology.cpus.items())), ""
