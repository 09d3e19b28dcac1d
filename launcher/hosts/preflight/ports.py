"""Whether the ports that the job names, or HCCL takes by itself, are free and kept free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject
from launcher.hosts.report import HostReport
from launcher.planning.place import DEFAULT_HCCL_PORT, hccl_ports
from launcher.runs.ranks import rank_list
from launcher.specs import Cluster, Recipe

_BASE: Final = "HCCL_IF_BASE_PORT"
_ALWAYS: Final = 16  # of HCCL's ports: old releases take so many, new ones 32
_OUTGOING: Final = range(32768, 61000)  # from which Linux takes ports for outgoing connections, unless told otherwise
_SOURCE: Final = "HCCL user guide, HCCL_IF_BASE_PORT"


@dataclass(frozen=True)
class _Wanted:
    """Ports that have to be free, and for what; `is_named` when the recipe says so, and nothing else will do."""

    ports: range
    what: str
    is_named: bool
    only_on: str | None = None  # the one host that listens; None: each


def ports_to_ask(recipe: Recipe | None, cluster: Cluster) -> tuple[int, ...]:
    """The ports that hosts have to be asked about."""
    found = (*_meeting(recipe, None), *_of_hccl(recipe, cluster, spans_hosts=len(cluster.hosts) > 1))
    return tuple(sorted({port for wanted in found for port in wanted.ports}))


def check_ports(subject: Subject) -> Iterator[Finding]:
    """Ports that somebody listens on, and HCCL's where the kernel may give them to an outgoing connection.

    On one machine a run has ports of its own choice, which are free: there only those count that the recipe names.
    """
    first = (subject.seats[0].host if subject.seats else subject.cluster.hosts[0]).name
    hccl = _of_hccl(subject.recipe, subject.cluster, subject.spans_hosts)
    for host, report in subject.reported:
        for wanted in (*_meeting(subject.recipe, first), *hccl):
            if wanted.only_on in (None, host.name):
                yield from (finding.at(host.name) for finding in _taken(wanted, report))
        for wanted in hccl:
            yield from (finding.at(host.name) for finding in _unreserved(wanted, report))


def _meeting(recipe: Recipe | None, first: str | None) -> Iterator[_Wanted]:
    if recipe is not None and recipe.scheduler_port is not None:
        port: int = recipe.scheduler_port
        yield _Wanted(range(port, port + 1), "for the ranks to meet at (scheduler_port)", True, first)


def _of_hccl(recipe: Recipe | None, cluster: Cluster, spans_hosts: bool) -> tuple[_Wanted, ...]:
    if cluster.is_cpu:
        return ()
    named = recipe.env.get(_BASE) if recipe is not None else None
    if named is not None and named.isascii() and named.isdecimal() and 1024 <= int(named[:6]) <= 65504:
        return (_Wanted(hccl_ports(int(named)), f"for HCCL ({_BASE})", True),)
    if spans_hosts and named is None:
        return (_Wanted(hccl_ports(DEFAULT_HCCL_PORT), "for HCCL, which takes these by default", False),)
    return ()


def _taken(wanted: _Wanted, report: HostReport) -> Iterator[Finding]:
    taken = sorted(set(wanted.ports).intersection(report.listening))
    if taken:
        is_needed = wanted.is_named and taken[0] in wanted.ports[:_ALWAYS]
        ports = f"port{'s' * (len(taken) > 1)} {rank_list(taken)}"
        other = f"another {_BASE} (env)" if len(wanted.ports) > 1 else "another scheduler_port"
        yield Finding(
            Severity.REFUSE if is_needed else Severity.WARN,
            Check.PORTS,
            f"{ports} {'is' if len(taken) == 1 else 'are'} taken",
            f"free ports {wanted.what}" if len(wanted.ports) > 1 else f"a free port {wanted.what}",
            f"ss -ltnp 'sport >= :{taken[0]} and sport <= :{taken[-1]}' shows who listens; or name {other}",
            source=_SOURCE if len(wanted.ports) > 1 else "",
        )


def _unreserved(wanted: _Wanted, report: HostReport) -> Iterator[Finding]:
    ports = wanted.ports
    kept = {port for low, high in report.reserved_ports for port in ports if low <= port <= high}
    if all(port in kept or port not in _OUTGOING for port in ports):
        return
    reserved = ",".join(f"{low}-{high}" if low != high else str(low) for low, high in report.reserved_ports)
    own = f"{ports[0]}-{ports[-1]}"
    yield Finding(
        Severity.WARN if wanted.is_named else Severity.NOTE,
        Check.PORTS,
        f"ports {own} are not reserved",
        f"reserved ports {wanted.what}: the kernel may give one to an outgoing connection (EI0019)",
        f"sysctl -w net.ipv4.ip_local_reserved_ports={','.join(filter(None, (reserved, own)))}",
        source=_SOURCE,
    )
