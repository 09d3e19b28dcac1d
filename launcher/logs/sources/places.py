"""The rank, device and host of each log, from all that names and lines say; what contradicts is left open. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TypeVar

from launcher.logs.record import LogFile, Source
from launcher.logs.sources.processes import Process, Sight, processes
from launcher.logs.sources.rotation import Part

_T = TypeVar("_T")


def placed(sights: Sequence[Sight]) -> tuple[list[tuple[LogFile, Part]], list[str]]:
    """The logs with what is known of each, and notes of what contradicts.

    A rank is what names (`rank_3/`) and lines (`[rank3]:`, `RankID:3`) say of the job. Without that it is the rank in
    the largest communicator, as long as no two processes of the same time have the same: then there are several that
    large, and none is the job's. Last comes the number in the names that msrun and torchrun give, under the same
    condition, for it may count the ranks of one host.
    """
    known = processes(sights)
    all_processes = list(dict.fromkeys(process for process in known.of.values() if process is not None))
    ranks = _Ranks(all_processes)
    hosts = _Hosts(all_processes)
    files = [_file(sight, known.of[sight.name], ranks, hosts) for sight in sights]
    return with_ranks_of_devices(files), [*known.notes, *ranks.notes]


def with_ranks_of_devices(files: Sequence[tuple[LogFile, Part]]) -> list[tuple[LogFile, Part]]:
    """The logs, of which those of a device itself are now of the rank that used it, where that is one alone."""
    ranks: defaultdict[tuple[int | None, str | None, int], set[int]] = defaultdict(set)
    for file, _ in files:
        if file.rank is not None and file.device is not None:
            ranks[file.attempt, file.host, file.device].add(file.rank)
    return [
        (file._replace(rank=_sole(ranks.get((file.attempt, file.host, file.device), ()))), part)
        if file.source is Source.DEVICE and file.rank is None and file.device is not None
        else (file, part)
        for file, part in files
    ]


def _file(sight: Sight, process: Process | None, ranks: _Ranks, hosts: _Hosts) -> tuple[LogFile, Part]:
    rank, device, host, pid = None, sight.claims.device, sight.claims.host, sight.claims.pid
    if process is not None:
        rank = ranks.of.get(process)
        device = device if device is not None else _device(process)
        host = host or hosts.of(process)
        pid = pid if pid is not None or len(sight.said.writers) != 1 else next(iter(sight.said.writers))
    return LogFile(sight.path, sight.name, sight.source, sight.claims.attempt, host, rank, device, pid), sight.part


class _Ranks:
    """The ranks of processes, as far as they can be told."""

    def __init__(self, all_processes: Sequence[Process]) -> None:
        self.of: dict[Process, int] = {}
        self.notes: list[str] = []
        self._largest = max((saying.world or 0 for each in all_processes for saying in each.said), default=0)
        for process in all_processes:
            if len(process.ranks) > 1:
                self.notes.append(f"{_names(process)}: names and lines say different ranks, {_list(process.ranks)}")
            elif process.ranks:
                self.of[process] = next(iter(process.ranks))
        open_ones = [process for process in all_processes if not process.ranks]
        in_largest = {process: rank for process in open_ones if (rank := self._in_largest(process)) is not None}
        self._settle(
            in_largest,
            f"processes of the same time are rank {{rank}} in communicators of {self._largest}: that is not their rank "
            "in the job, which is left open",
        )
        weak = {
            process: rank for process in open_ones if process not in in_largest and (rank := _weak(process)) is not None
        }
        self._settle(
            weak,
            "several logs of the same time are named after rank {rank}, of different hosts it seems; it is left open",
        )

    def _in_largest(self, process: Process) -> int | None:
        return _sole(saying.rank for saying in process.said if self._largest > 1 and saying.world == self._largest)

    def _settle(self, found: dict[Process, int], note: str) -> None:
        """Take ranks over that no two processes of the same time have; a note tells of the others."""
        by_rank: defaultdict[int, list[Process]] = defaultdict(list)
        for process, rank in (*self.of.items(), *found.items()):
            by_rank[rank].append(process)
        for rank, those in sorted(by_rank.items()):
            new = [process for process in those if process in found]
            if any(
                one.overlaps(other) and not _are_one(one, other) for one in new for other in those if one is not other
            ):
                self.notes.append(f"{', '.join(map(_names, new))}: {note.format(rank=rank)}")
            else:
                self.of.update(dict.fromkeys(new, rank))


class _Hosts:
    """The hosts of processes: by their folders' names, else by the addresses that their lines say."""

    def __init__(self, all_processes: Sequence[Process]) -> None:
        named: defaultdict[str, set[str]] = defaultdict(set)
        for process in all_processes:
            for address in _addresses(process):
                named[address] |= process.hosts
        self._names = {address: _sole(names) for address, names in named.items()}

    def of(self, process: Process) -> str | None:
        """The host of a process; None where it is not known, or several are said."""
        addresses = _addresses(process)
        return _sole(process.hosts) or _sole(map(self._names.get, addresses)) or _sole(addresses)


def _addresses(process: Process) -> set[str]:
    return {saying.host for saying in process.said if saying.host is not None}


def _are_one(one: Process, other: Process) -> bool:
    """Whether two may be the output of a process and CANN's logs of it, where no line of the output says its pid."""
    kinds = [{sight.source for sight in process.sights} for process in (one, other)]
    return one.hosts == other.hosts and {Source.STDOUT} in kinds and Source.STDOUT not in kinds[0] & kinds[1]


def _weak(process: Process) -> int | None:
    return _sole(sight.claims.weak_rank for sight in process.sights)


def _device(process: Process) -> int | None:
    """The device of a process by its physical number; without one, by that which the process gives to it."""
    physical = {sight.claims.device for sight in process.sights} | {
        saying.device for saying in process.said if saying.is_physical
    }
    if physical - {None}:
        return _sole(physical)
    return _sole(saying.device for saying in process.said)


def _sole(values: Iterable[_T | None]) -> _T | None:
    """The one value there is beside None; None where there is none, or more."""
    known = {value for value in values if value is not None}
    return next(iter(known)) if len(known) == 1 else None


def _names(process: Process) -> str:
    first, *others = sorted(sight.name for sight in process.sights)
    return f"{first} and {len(others)} more" if others else first


def _list(ranks: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(ranks)))
