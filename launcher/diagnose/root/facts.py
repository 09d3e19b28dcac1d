"""What the lines of logs say of ranks, communicators and those who were waited for, as values.

Numbers of ranks are as the line has them: in a communicator they are counted within it (see members.py).
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, TypeAlias

from launcher.diagnose.finding import Evidence
from launcher.logs.record import LogFile


class Seen(NamedTuple):
    """Where a line stands and whose it is: `rank` is that of the line or of its file, `time` by its host's clock."""

    file: LogFile
    evidence: Evidence
    time: float | None = None
    rank: int | None = None
    pid: int | None = None


class Node(NamedTuple):
    """How HCCL names a rank's place: the address of its host, and the number of its device."""

    address: str
    device: int


class Stage(str, Enum):
    """What a rank waited for."""

    ROOT = "root"  # the exchange of root information
    LINK = "link"  # a socket or link to a peer
    NOTIFY = "notify"  # a peer in a collective
    COPY = "copy"  # memory of a peer


class Plight(str, Enum):
    """What is said of a rank that another one names."""

    LOST = "lost"  # its heartbeat
    STUCK = "stuck"  # it beats and does not come on
    CQE = "cqe"  # the link to it broke


class Member(NamedTuple):
    """The writer is rank `rank` of a communicator of `size` ranks, which it has begun to join (`ready`: joined)."""

    seen: Seen
    group: str
    size: int
    rank: int
    ready: bool = False
    node: Node | None = None


class Wait(NamedTuple):
    """The writer waited for `peer` in vain; None where the line does not say for whom.

    `own` is its own number in the same communicator, `limit` how long it waited, in seconds.
    """

    seen: Seen
    stage: Stage
    peer: int | None
    own: int | None = None
    group: str | None = None
    limit: float | None = None


class Operation(NamedTuple):
    """The collective in which the writer's communicator failed; fields that the line does not have are None.

    `size` and `own` are those of the communicator and the writer's number in it, `sequence` how many collectives it had
    called, `amount` how many elements it sends.
    """

    seen: Seen
    group: str | None = None
    size: int | None = None
    own: int | None = None
    tag: str | None = None
    sequence: int | None = None
    amount: int | None = None
    dtype: str | None = None


class Suspect(NamedTuple):
    """Somebody says that a rank, named by its place or its number, is lost, stuck or broke a link."""

    seen: Seen
    plight: Plight
    node: Node | None = None
    rank: int | None = None
    by: Node | None = None


class Place(NamedTuple):
    """The writer says where it is."""

    seen: Seen
    node: Node


class Connected(NamedTuple):
    """The ranks that reached the root; `wanted` how many there should be, in lines that say it."""

    seen: Seen
    ranks: tuple[int, ...] = ()
    wanted: int | None = None


class Tls(NamedTuple):
    """The TLS switch of the writer's device, or of devices that it lists."""

    seen: Seen
    enabled: bool
    nodes: tuple[Node, ...] | None = None


class Limit(NamedTuple):
    """A timeout of the job, in seconds, as it echoed it: HCCL_CONNECT_TIMEOUT or HCCL_EXEC_TIMEOUT."""

    seen: Seen
    variable: str
    seconds: float


class Ended(NamedTuple):
    """A launcher tells how a process ended: its exit code, or minus the signal."""

    seen: Seen
    code: int
    rank: int | None = None
    local_rank: int | None = None
    pid: int | None = None
    host: str | None = None


Fact: TypeAlias = Member | Wait | Operation | Suspect | Place | Connected | Tls | Limit | Ended
