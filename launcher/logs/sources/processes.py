"""Which logs are of one process: those that CANN named after its pid, and the output in which that pid speaks. Pure."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from launcher.logs.record import Source
from launcher.logs.sources.names import Claims
from launcher.logs.sources.rotation import Part
from launcher.logs.sources.sayings import Said, Saying

_OF_CANN = re.compile(r"debug|run|security|operation|plog|device-\d+")
_NAMED_AFTER_PID = frozenset((Source.PLOG, Source.DEVICE))
_OF_NO_RANK = frozenset((Source.HOST, Source.LAUNCHER, Source.SCHEDULER))


class Sight(NamedTuple):
    """A log as it was seen: what its name claims, and what its lines say."""

    path: Path
    name: str
    source: Source
    part: Part
    claims: Claims
    said: Said

    @property
    def is_of_process(self) -> bool:
        """Whether CANN keeps it for one process, whose pid it is named after."""
        return self.source in _NAMED_AFTER_PID and self.claims.pid is not None

    @property
    def ranks(self) -> set[int]:
        """The ranks of the job that its lines say they are of."""
        return {saying.rank for saying in self.said.sayings if saying.rank is not None and saying.world is None}

    @property
    def is_of_one_rank(self) -> bool:
        """Whether all of an output is of one rank: its name says so, or one process alone speaks in it."""
        names = (self.claims.rank, self.claims.weak_rank, self.claims.device, self.claims.pid)
        return len(self.ranks) <= 1 and (any(name is not None for name in names) or len(self.said.writers) == 1)


@dataclass(eq=False)
class Process:
    """What is of one process, or at least of one rank, as far as it is known; `said` is what is said of it."""

    sights: list[Sight] = field(default_factory=list)
    said: set[Saying] = field(default_factory=set)

    @property
    def ranks(self) -> set[int]:
        """The ranks of the job that names give it and that are said of it."""
        named = {sight.claims.rank for sight in self.sights if sight.claims.rank is not None}
        return named | {saying.rank for saying in self.said if saying.rank is not None and saying.world is None}

    @property
    def hosts(self) -> set[str]:
        """The hosts that names give it."""
        return {sight.claims.host for sight in self.sights if sight.claims.host is not None}

    def overlaps(self, other: Process) -> bool:
        """Whether both may have run at the same time."""
        mine, theirs = self._times(), other._times()
        return mine is None or theirs is None or (mine[0] <= theirs[1] and theirs[0] <= mine[1])

    def _times(self) -> tuple[float, float] | None:
        begun = [sight.said.begun for sight in self.sights if sight.said.begun is not None]
        ended = [sight.said.ended for sight in self.sights if sight.said.ended is not None]
        return (min(begun), max(ended)) if begun and ended else None


class Processes(NamedTuple):
    """Each log with its process; None for a log of several ranks, or of none."""

    of: dict[str, Process | None]
    notes: list[str]


def processes(sights: Sequence[Sight]) -> Processes:
    """Put logs together that are of one process; what cannot be told becomes a note."""
    joining = _Joining()
    for sight in sights:
        joining.take(sight)
    for sight in sights:
        joining.join(sight)
    return Processes(joining.of, joining.notes)


class _Joining:
    """Logs on their way to their processes: first each by its name, then by the pids that speak in it."""

    def __init__(self) -> None:
        self.of: dict[str, Process | None] = {}
        self.notes: list[str] = []
        self._of_cann: defaultdict[int, dict[str, str]] = defaultdict(dict)  # a log of each pid, by its folder
        self._of_framework: defaultdict[int, dict[str, str]] = defaultdict(dict)
        self._by_output: dict[tuple[str, Part | Claims], Process] = {}

    def take(self, sight: Sight) -> None:
        """Give a log to the process that its name tells of."""
        process: Process | None = None
        folder = str(PurePosixPath(sight.name).parent)
        if sight.is_of_process:
            assert sight.claims.pid is not None
            first = self._of_cann[sight.claims.pid].setdefault(_root(sight.name), sight.name)
            process = self.of.get(first) or Process()
        elif sight.source not in _OF_NO_RANK and sight.is_of_one_rank:
            is_named = sight.claims.rank is not None or sight.claims.weak_rank is not None
            key = sight.claims._replace(pid=None) if is_named else sight.part._replace(order=(0, 0))
            process = self._by_output.setdefault((folder, key), Process())
            if sight.source is Source.FRAMEWORK and sight.claims.pid is not None:
                self._of_framework[sight.claims.pid].setdefault(folder, sight.name)
        if process is not None:
            process.sights.append(sight)
            process.said |= {saying for saying in sight.said.sayings if saying.pid in (None, sight.claims.pid)}
        self.of[sight.name] = process

    def join(self, sight: Sight) -> None:
        """Join the output of a process with CANN's logs of it, and take what is said there of other processes."""
        own = self.of[sight.name]
        if sight.is_of_process:
            return
        pids = sight.said.writers | ({sight.claims.pid} if sight.claims.pid is not None else set())
        if own is not None:
            for pid in sorted(pids):
                self._unite(own, pid, sight)
        for saying in sight.said.sayings:
            if saying.pid is None:
                continue
            if own is not None and saying.pid in pids:
                own.said.add(saying)
            elif (process := self._process(saying.pid, sight)) is not None:
                process.said.add(saying)

    def _unite(self, own: Process, pid: int, sight: Sight) -> None:
        other = self._process(pid, sight)
        if other is None or other is own:
            return
        if own.ranks and other.ranks and own.ranks != other.ranks:
            self.notes.append(
                f"{sight.name} is of rank {_list(own.ranks)}, and so would be the logs of pid {pid} that speaks in it; "
                f"those say rank {_list(other.ranks)}: they are not taken for the same process"
            )
            return
        own.sights += other.sights
        own.said |= other.said
        for each in other.sights:
            self.of[each.name] = own

    def _process(self, pid: int, sight: Sight) -> Process | None:
        """The process of this pid that a log speaks of: that of its host, and of several there the nearest folder."""
        logs = self._of_cann.get(pid) or self._of_framework.get(pid, {})
        known = {root: process for root, log in logs.items() if (process := self.of[log]) is not None}
        host = sight.claims.host
        near = {root: process for root, process in known.items() if not process.hosts or host in (None, *process.hosts)}
        if len(set(near.values())) > 1:
            common = {root: _common(root, sight.name) for root in near}
            near = {root: near[root] for root in near if common[root] == max(common.values())}
        if len(set(near.values())) > 1:
            note = (
                f"pid {pid} is of {len(near)} processes ({_list(near)}); which of them {sight.name} means is not known"
            )
            if note not in self.notes:
                self.notes.append(note)
            return None
        return next(iter(near.values()), None)


def _root(name: str) -> str:
    """The folder that CANN was told to write to: above debug/plog, or plog in old releases."""
    folder = PurePosixPath(name).parent
    while _OF_CANN.fullmatch(folder.name):
        folder = folder.parent
    return str(folder)


def _common(root: str, name: str) -> int:
    """How many folders two paths have in common."""
    return len(PurePosixPath(os.path.commonpath((root, name))).parts)


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, sorted(values, key=str)))
