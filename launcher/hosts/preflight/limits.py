"""Whether the limits of the user on the hosts are wide enough for the ranks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject


@dataclass(frozen=True)
class _Least:
    """What a limit has to be: a base, and so much for each rank of the host and of the job.

    `flag` is that of ulimit, which counts in `unit`s.
    """

    severity: Severity
    base: int
    per_rank: int
    per_world: int
    flag: str
    unit: int
    why: str


# From what npu-launch itself opens (a log, a pipe and a pidfd a rank), from HCCL's sockets, which are one a peer and
# communicator, and from the stack that Linux gives by default. No limit is documented: none refuses.
_ON_CPU: Final = {
    "nofile": _Least(Severity.WARN, 64, 8, 0, "-n", 1, "files and sockets of the ranks and of their supervisor"),
    "nproc": _Least(Severity.WARN, 64, 16, 0, "-u", 1, "processes and threads of the ranks"),
}
_ON_NPUS: Final = {
    "nofile": _Least(Severity.WARN, 4096, 64, 8, "-n", 1, "HCCL has a socket for each peer, Ray for each host"),
    "nproc": _Least(Severity.WARN, 4096, 512, 0, "-u", 1, "a rank on an NPU has hundreds of threads"),
    "memlock": _Least(Severity.NOTE, 64 << 20, 0, 0, "-l", 1024, "RDMA pins host memory"),
    "stack": _Least(Severity.WARN, 8 << 20, 0, 0, "-s", 1024, "operators are compiled by recursion"),
}


def check_limits(subject: Subject) -> Iterator[Finding]:
    """Soft limits below what the ranks of a host are likely to need."""
    table = _ON_CPU if subject.cluster.is_cpu else _ON_NPUS
    world = len(subject.seats) or subject.cluster.device_count
    for host, report in subject.reported:
        ranks = subject.ranks_on.get(host.name, 0)
        for name, least in table.items():
            limit = report.limits.get(name)
            wanted = least.base + least.per_rank * ranks + least.per_world * world
            if limit is not None and limit < wanted:
                yield Finding(
                    least.severity,
                    Check.LIMITS,
                    f"ulimit {least.flag} ({name}) is {limit // least.unit}",
                    f"{wanted // least.unit} or more: {least.why}",
                    f"ulimit {least.flag} {wanted // least.unit}, or for good in /etc/security/limits.conf",
                    host.name,
                )
