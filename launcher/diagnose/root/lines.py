"""The lines of logs that tell facts.

Sources: facts/logs.md, section 2 (HCCL's lines); facts/fault_signatures.md; facts/error_codes.md (EI0002, EI0006,
EI0016); facts/env_hccl.md; the reports of torch elastic, mpirun and srun.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import launcher.diagnose.root.readers as read
from launcher.diagnose.root.facts import Fact, Seen

_Read = Callable[[re.Match[str], str, Seen], Iterator[Fact]]

_NODE: Final = r"\[?(?P<{0}>[^\]\[/\s]+/\d+)\]?"


class Kind(NamedTuple):
    """A kind of line: a text that it holds, what is read out of it, and how."""

    text: str
    pattern: re.Pattern[str]
    read: _Read


def _kind(text: str, pattern: str, reader: _Read) -> Kind:
    return Kind(text, re.compile(pattern), reader)


_OWN_NODE: Final = r"rank " + _NODE.format("own") + ":"
_TWO_NODES: Final = (
    _NODE.format("whom")
    + r",? ?status ?\[(?P<status>LOST|STUCK|ERROR CQE)\] by (?:informer )?rank "
    + _NODE.format("by")
)

KINDS: Final[tuple[Kind, ...]] = (
    _kind("Entry-HcclCommInit", r"ranks\[(?P<size>\d+)\], ?rank\[(?P<rank>\d+)\]", read.member),
    _kind("rankNum[", r"rankNum\[(?P<size>\d+)\],.{0,200}?\brank\[(?P<rank>\d+)\]", read.member),
    _kind("emote rank", r"[Rr]emote rank:? ?\[(?P<peer>\w+)", read.notify),
    _kind("remoteRank[", r"remoteRank\[(?P<peer>\d+)\]", read.link),
    _kind("dst_rank[", r"dst_rank\[(?P<peer>\d+)\]", read.link),
    _kind(
        "time out |",
        r"\|[^|(]*\((?P<peer>\d+)\)\s*\|[^|]*\|[^|(]*\((?P<own>\d+)\)\s*\|[^|]*\|[^|]*\|"
        r" *time out *\|(?: *(?P<tls>\w+) *\|)?",
        read.row,
    ),
    _kind("wait socket establish timeout", r"role\[\d\] rank\[(?P<own>\d+)\] timeout\[(?P<limit>\d+)", read.socket),
    _kind("Getting socket times out", r"", read.no_socket),
    _kind("event wait timeout occurred", r"", read.waited),
    _kind("tream synchronize timeout", r"", read.waited),
    _kind("get socket timeout!", r"topo exchange (?P<side>\w+) get.{0,40}?(?:timeout\[(?P<limit>\d+).*)?$", read.root),
    _kind("Task run failed, ", r"Task run failed, ", read.operation),
    _kind(
        "Watchdog caught collective",
        r"(?:\[Rank (?P<rank>\d+)\] )?Watchdog caught.{0,60}?SeqNum=(?P<index>\d+), OpType=(?P<op>\w+)",
        read.watchdog,
    ),
    _kind("crimer rank", _OWN_NODE + r"\s*crimer rank " + _TWO_NODES, read.beat),
    _kind("[HCCL_TRACE]rank [", _OWN_NODE + r"\s*rank " + _TWO_NODES, read.beat),
    _kind(
        "Cluster Exception Location[",
        r"\[IP/ID\]:\[(?P<whom>[^\]]*)\].*?Discoverer:\[(?P<by>[^\]]*)\], ?ExceptionType:\[(?P<what>[^\]]*)\]",
        read.location,
    ),
    _kind(
        "cqe error status[",
        r"remoteI[Pp]\{server\[(?P<server>[^\]%]*)[^\]]*\], ?deviceId\[(?P<device>[^\]]*)\]",
        read.cqe,
    ),
    _kind("imed out node list", r"node list is: ?(?:\[const vector\])?\{(?P<nodes>[^}]*)\}", read.timed_out),
    _kind("is timed out", r"[Nn]ode:? ?\[?(?P<nodes>\d+)\]? is timed out", read.timed_out),
    _kind("connected rankinfo[", r"connected rankinfo\[LINE \d+\]: ?(?P<ranks>.*)", read.connected),
    _kind("need connect rankNum", r"need connect rankNum is \[(?P<wanted>\d+)\]", read.wanted),
    _kind("for enabled tls:", r"tls:", read.tls_lists),
    _kind("TLS SWITCH (", r"TLS SWITCH \((?P<value>[01])\)", read.tls_switch),
    _kind(
        "TIMEOUT is set",
        r"(?P<variable>HCCL_(?:CONNECT|EXEC)_TIMEOUT) is set.{0,40}?[\[ ](?P<seconds>\d+)",
        read.limit,
    ),
    _kind("(exitcode: ", r"exitcode: (?P<code>-?\d+)\) local_rank: (?P<local>\d+) \(pid: (?P<pid>\d+)\)", read.elastic),
    _kind(
        "noticed that process rank",
        r"process rank (?P<rank>\d+) with PID (?P<pid>\d+) on node (?P<host>\S+) exited on signal (?P<signal>\d+)",
        read.mpi,
    ),
    _kind(
        "srun: error: ",
        r"error: (?P<host>[\w.-]+): task (?P<rank>\d+): (?:Exited with exit code (?P<code>\d+)|Killed|Out Of Memory)",
        read.slurm,
    ),
)
"""Every kind of line that tells a fact. A line may be of several."""


def read_line(kinds: Iterable[int], text: str, seen: Seen) -> Iterator[Fact]:
    """The facts that a line tells, which holds the texts of these kinds (by index)."""
    for index in kinds:
        kind = KINDS[index]
        if match := kind.pattern.search(text):
            yield from kind.read(match, text, seen)
