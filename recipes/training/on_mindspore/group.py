"""The data-parallel group: joining, sums over its ranks, leaving."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import mindspore as ms
import numpy as np
from mindspore import nn, ops
from mindspore.communication import get_group_size, get_rank, init, release

from training.environment import Environment

_DIGITS = (0, 12, 24, 36)
_NAP = 0.3  # seconds


@dataclass(frozen=True)
class Group:
    rank: int
    ranks: int

    def leave(self) -> None:
        """Sign off, so that the scheduler ends at once and not by a heartbeat timeout that reads as a failure."""
        if self.ranks > 1:
            release()

    def sum_counts(self, counts: np.ndarray) -> np.ndarray:
        """The sum over ranks of int64 counts below 2**48, exact for up to 4096 ranks.

        The CPU backend sums floats only, and float32 loses single pixels past 2**24: counts travel as four digits of
        12 bits, whose sums stay below that.
        """
        if self.ranks == 1:
            return counts
        digits = np.stack([counts >> shift & 0xFFF for shift in _DIGITS]).astype(np.float32)
        sums = _Sum()(ms.Tensor(digits)).asnumpy().astype(np.int64)
        return sum(digit << shift for digit, shift in zip(sums, _DIGITS, strict=True))


class _Sum(nn.Cell):
    def __init__(self):
        super().__init__()
        self.all_reduce = ops.AllReduce()

    def construct(self, x):
        return self.all_reduce(x)


def serve_as_scheduler() -> None:
    """Introduce the workers to each other; returns when they have left."""
    init()


def join(environment: Environment) -> Group:
    """The group of all ranks, joined through the dynamic cluster or the rank table that the environment names."""
    if environment.ranks == 1:
        return Group(rank=0, ranks=1)
    with contextlib.ExitStack() as quickly:
        if environment.device_target == "CPU":
            quickly.enter_context(_taking_turns())
            quickly.enter_context(_short_naps())
        init()
    group = Group(get_rank(), get_group_size())
    ms.set_auto_parallel_context(
        parallel_mode=ms.ParallelMode.DATA_PARALLEL, gradients_mean=True, device_num=group.ranks
    )
    return group


@contextlib.contextmanager
def _short_naps() -> Iterator[None]:
    """Let a signal end every sleep(3) of this thread after 0.3 s at most.

    MindSpore's collectives on the CPU ask the scheduler for the address of each rank. Whoever comes before another has
    written its own calls sleep(3), and so a group of ranks that come within milliseconds takes 3 s too long. There are
    19 such attempts for an address, so a rank may still be 5 s later than the first: they all learn within a second or
    two that the group is complete, and then begin to ask.
    """
    former = signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, _NAP, _NAP)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@contextlib.contextmanager
def _taking_turns() -> Iterator[None]:
    """Let this thread, and those that it starts here, share one processor, where none interrupts another.

    MindSpore has a thread watch each new connection, and only then notes that it is connecting. Within a machine the
    connection is there at once: a thread that sees it before the note is made is overruled by the note, and the rank
    connects anew after 0.5 s. That happens to half of all connections. Under SCHED_BATCH a thread that wakes does not
    take the processor from the one that runs, and with no other processor it has to wait until the note is made.
    """
    if os.sched_getscheduler(0) != os.SCHED_OTHER:  # somebody's choice, which a process may not be free to return to
        yield
        return
    processors = sorted(os.sched_getaffinity(0))
    _schedule(0, os.SCHED_BATCH, [processors[os.getpid() % len(processors)]])
    try:
        yield
    finally:
        for thread in Path("/proc/self/task").iterdir():
            _schedule(int(thread.name), os.SCHED_OTHER, processors)


def _schedule(thread: int, policy: int, processors: Iterable[int]) -> None:
    with contextlib.suppress(OSError):  # it has ended, or this may not be changed here: then nothing is
        os.sched_setscheduler(thread, policy, os.sched_param(0))
        os.sched_setaffinity(thread, processors)
