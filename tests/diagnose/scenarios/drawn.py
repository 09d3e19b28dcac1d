"""Failures drawn by lot: what breaks, on which of how many ranks, how the others tell of it, and how the logs lie."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, NamedTuple

from tests.diagnose.scenarios import said
from tests.diagnose.scenarios.job import Job, Layout, by_host, one_folder_each, one_output, plogs_alone, torchrun

_LAYOUTS: Final = (one_folder_each, by_host, torchrun, one_output, plogs_alone)
_GAVE_UP: Final = 1900.0  # seconds, at which the others stopped to wait in a collective
_NOT_JOINED: Final = 125.0  # the same for joining


class Fault(NamedTuple):
    """What the broken rank says, what the others say, and which logs tell enough of it.

    `begins` is whether it breaks while the ranks join their communicator; such a rank has not begun to.
    """

    breaks: Callable[[Job, int], None]
    follows: Callable[[Job, int, int, str], None]
    layouts: tuple[Layout, ...] = _LAYOUTS
    begins: bool = False
    least: int = 2


class Drawn(NamedTuple):
    """A job, how its logs lie, the rank that broke, and all of that in words."""

    job: Job
    layout: Layout
    rank: int
    words: str


def drawn(lot: Random) -> Drawn:
    """One failure. The ranks' clocks differ by host, and the others name whom they waited for, or their neighbour."""
    name, fault = lot.choice(sorted(FAULTS.items()))
    world = lot.choice([size for size in (2, 4, 8, 16, 24) if size >= fault.least])
    rank, peers = lot.randrange(world), lot.choice(["the rank", "the neighbour", "nobody"])
    behind = lot.choice([0.0, 300.0, -4000.0])
    layout = lot.choice(fault.layouts)
    job = Job(world, behind={"node-2": behind})
    job.starts([each for each in job.ranks if not (fault.begins and each == rank)], joined=not fault.begins)
    fault.breaks(job, rank)
    for other in job.ranks:
        if other != rank:
            fault.follows(job, other, rank, peers)
    words = f"{name} on rank {rank} of {world}, {layout.__name__}, naming {peers}, clock behind {behind:.0f} s"
    return Drawn(job, layout, rank, words)


def _waits(job: Job, other: int, rank: int, peers: str) -> None:
    named: dict[str, int | str] = {"the rank": rank, "the neighbour": (other - 1) % job.world, "nobody": "unknown"}
    said.notify_timeout(job, other, _GAVE_UP + 0.01 * other, named[peers])


def _beats(what: Callable[[Job, int, float, int, int], None]) -> Callable[[Job, int, int, str], None]:
    def follows(job: Job, other: int, rank: int, peers: str) -> None:
        what(job, other, 80, rank, other)
        _waits(job, other, rank, peers)

    return follows


def _stuck(job: Job, rank: int, seconds: float, whom: int, by: int) -> None:
    said.exception_location(job, rank, seconds, whom, by, "Stuck Occurred")


def _does_not_connect(job: Job, other: int, rank: int, peers: str) -> None:
    peer = (other - 1) % job.world if peers == "the neighbour" else rank
    said.link_timeout(job, other, _NOT_JOINED, peer)


def _does_not_reach_root(job: Job, other: int, rank: int, _peers: str) -> None:
    if other == 0:
        said.root_misses(job, 0, _NOT_JOINED, [each for each in job.ranks if each != rank])
    else:
        said.root_not_reached(job, other, _NOT_JOINED)


def _is_gone(job: Job, rank: int) -> None:
    job.absent.add(rank)


def _has_tls(job: Job, rank: int) -> None:
    for each in job.ranks:
        job.hccl(each, 2, "hccp_common.cc:88", f"TLS SWITCH ({int(each == rank)})", "EVENT")
    said.link_timeout(job, rank, _NOT_JOINED, (rank + 1) % job.world)


def _calls_another(job: Job, rank: int) -> None:
    said.notify_timeout(job, rank, _GAVE_UP, (rank - 1) % job.world, op="AllGather")


def _without_plog(job: Job, rank: int) -> None:
    said.out_of_memory(job, rank, 40)
    job.plogs[rank] = [line for line in job.plogs[rank] if "halMemAlloc" not in line]


_PLOGS: Final = (one_folder_each, by_host, torchrun, plogs_alone)
_OUTPUTS: Final = (one_folder_each, by_host, torchrun, one_output)

FAULTS: Final[dict[str, Fault]] = {
    "out of memory": Fault(lambda job, rank: said.out_of_memory(job, rank, 40), _waits),
    "out of memory without a time": Fault(_without_plog, _waits, _OUTPUTS),
    "a traceback": Fault(
        lambda job, rank: said.traceback(job, rank, "IndexError: list index out of range"), _waits, _OUTPUTS
    ),
    "a kernel's exception": Fault(lambda job, rank: said.aicore_exception(job, rank, 40), _waits, _PLOGS),
    "a kill": Fault(lambda job, rank: said.kernel_kills(job, job.host(rank), 40, job.pid(rank)), _waits, _PLOGS),
    "silence": Fault(lambda _job, _rank: None, _waits),
    "no log": Fault(_is_gone, _waits),
    "a lost heartbeat": Fault(lambda _job, _rank: None, _beats(said.heartbeat), _PLOGS),
    "a stuck rank": Fault(lambda _job, _rank: None, _beats(_stuck), _PLOGS),
    "no connection": Fault(_is_gone, _does_not_connect, _PLOGS, begins=True),
    "no way to the root": Fault(_is_gone, _does_not_reach_root, _PLOGS, begins=True),
    "another TLS switch": Fault(_has_tls, _does_not_connect, _PLOGS, begins=True, least=4),
    "another operator": Fault(
        _calls_another, lambda job, other, _rank, _peers: _waits(job, other, 0, "the neighbour"), _PLOGS, least=4
    ),
}
