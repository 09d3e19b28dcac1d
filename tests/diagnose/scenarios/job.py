"""A job whose ranks say what a scenario has them say, written as the logs of several kinds of launchers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeAlias

BEGAN = datetime(2025, 10, 28, 17, 45, 13, 679684)


@dataclass
class Job:
    """`world` ranks on hosts of `per_host` devices. Times are seconds since it began; `behind` is a host's clock."""

    world: int = 8
    per_host: int = 8
    behind: dict[str, float] = field(default_factory=dict)
    plogs: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    outputs: defaultdict[int, list[str]] = field(default_factory=lambda: defaultdict(list))
    others: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    absent: set[int] = field(default_factory=set)

    @property
    def ranks(self) -> range:
        return range(self.world)

    @property
    def hosts(self) -> list[str]:
        return [f"node-{1 + number}" for number in range(-(-self.world // self.per_host))]

    def host(self, rank: int) -> str:
        return self.hosts[rank // self.per_host]

    def device(self, rank: int) -> int:
        return rank % self.per_host

    def address(self, rank: int) -> str:
        return f"10.20.8.{1 + rank // self.per_host}"

    def node(self, rank: int) -> str:
        """How HCCL names its place."""
        return f"{self.address(rank)}/{self.device(rank)}"

    def pid(self, rank: int) -> int:
        return 41000 + 17 * rank

    def stamp(self, rank: int, seconds: float) -> str:
        when = BEGAN + timedelta(seconds=seconds - self.behind.get(self.host(rank), 0))
        return f"{when:%Y-%m-%d-%H:%M:%S}.{when.microsecond // 1000:03d}.{when.microsecond % 1000:03d}"

    def cann(self, rank: int, seconds: float, level: str, module: str, place: str, text: str) -> None:
        """A line of CANN's, in the rank's plog."""
        head = f"[{level}] {module}({self.pid(rank)},python):{self.stamp(rank, seconds)} [{place}]"
        self.plogs[rank].append(f"{head} [{self.pid(rank) + 5}]{text}")

    def hccl(self, rank: int, seconds: float, place: str, text: str, level: str = "ERROR") -> None:
        self.cann(rank, seconds, level, "HCCL", place, text)

    def out(self, rank: int, *lines: str) -> None:
        """Lines of its standard output."""
        self.outputs[rank] += lines

    def starts(
        self,
        ranks: Iterable[int] | None = None,
        group: str = "hccl_world_group",
        joined: bool = True,
        begin: int = 0,
    ) -> Job:
        """The ranks begin, join the communicator of all, and train some steps."""
        for rank in self.ranks if ranks is None else ranks:
            self.hccl(
                rank,
                begin + 0.01 * rank,
                "externalinput.cc:457",
                "environmental variable HCCL_CONNECT_TIMEOUT is set, timeOut[120]",
                "EVENT",
            )
            self.enters(rank, begin + 1 + 0.01 * rank, group)
            if joined:
                self.joins(rank, begin + 4 + 0.01 * rank, group)
                self.trains(rank, begin + 5, begin + 30)
        return self

    def enters(self, rank: int, seconds: float, group: str = "hccl_world_group") -> None:
        self.hccl(
            rank,
            seconds,
            "topoinfo_detect.cc:377",
            f"SetupAgent rankNum[{self.world}], rank[{rank}], rootInfo identifier[{group}], "
            f"server[{self.address(rank)}%bond1], logicDevId[{self.device(rank)}], phydevId[{self.device(rank)}], "
            f"deviceIp[124.0.0.{rank}]",
            "INFO",
        )

    def joins(self, rank: int, seconds: float, group: str = "hccl_world_group") -> None:
        self.hccl(
            rank,
            seconds,
            "hcom.cc:196",
            f"[{group}][{rank}]hcom init by file success,take time [1174468]us, "
            f"rankTablePath[/job/hccl.json], rankNum[{self.world}], rank[{rank}],server[{self.address(rank)}]",
            "TRACE",
        )

    def trains(self, rank: int, begin: int, end: int) -> None:
        """A step every five seconds, as a loop that logs prints it."""
        for step, seconds in enumerate(range(begin, end, 5)):
            when = self.stamp(rank, seconds).replace("-", " ", 3).replace(" ", "-", 2)[:19]
            self.out(rank, f"{when} - INFO - epoch: 1 step: {step}, loss is {2.3 - 0.01 * step:.3f}")

    def write(self, folder: Path, layout: Layout) -> Path:
        layout(self, folder)
        for name, lines in self.others.items():
            write(folder / name, lines)
        return folder


Layout: TypeAlias = Callable[[Job, Path], None]
"""How the logs of a job lie in a folder."""


def write(path: Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape"))


def one_folder_each(job: Job, folder: Path) -> None:
    """`rank_3/stdout.log` and `rank_3/debug/plog/plog-...`, below a folder for each host if there are several."""
    for rank in job.ranks:
        if rank not in job.absent:
            home = folder / job.host(rank) / f"rank_{rank}" if len(job.hosts) > 1 else folder / f"rank_{rank}"
            _plog(job, rank, home)
            if job.outputs[rank]:
                write(home / "stdout.log", job.outputs[rank])


def by_host(job: Job, folder: Path) -> None:
    """`node-1/ascend/log/debug/plog/` with all processes of a host, and msrun's `worker_3.log` beside."""
    for rank in job.ranks:
        if rank not in job.absent:
            _plog(job, rank, folder / job.host(rank) / "ascend/log")
            if job.outputs[rank]:
                write(folder / job.host(rank) / f"worker_{rank}.log", job.outputs[rank])


def torchrun(job: Job, folder: Path) -> None:
    """`attempt_0/3/stderr.log` by local ranks, and CANN's logs of a host in one folder."""
    for rank in job.ranks:
        if rank not in job.absent:
            top = folder / job.host(rank) if len(job.hosts) > 1 else folder
            _plog(job, rank, top / "ascend/log")
            if job.outputs[rank]:
                name = top / f"none_abcd/attempt_0/{job.device(rank)}/stderr.log"
                write(name, [f"[rank{rank}]: {line}" for line in job.outputs[rank]])


def one_output(job: Job, folder: Path) -> None:
    """All ranks in one file, told apart by prefixes, and no other log."""
    lines = [f"[rank{rank}]: {line}" for rank in job.ranks if rank not in job.absent for line in job.outputs[rank]]
    write(folder / "train.log", lines)


def plogs_alone(job: Job, folder: Path) -> None:
    """One folder with the plogs of all processes."""
    for rank in job.ranks:
        if rank not in job.absent:
            _plog(job, rank, folder)


def _plog(job: Job, rank: int, home: Path) -> None:
    if job.plogs[rank]:
        write(home / f"debug/plog/plog-{job.pid(rank)}_20251028174513679.log", job.plogs[rank])
