"""The logs that the folder of one of our runs holds, on whatever machine it lies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from launcher.logs.packed import COMPRESSED
from launcher.logs.record import LogFile, Source
from launcher.logs.sources.names import named
from launcher.logs.sources.places import with_ranks_of_devices
from launcher.logs.sources.rotation import Part, in_streams
from launcher.logs.sources.walking import files_below, files_in, folders_in
from launcher.planning.model import Target
from launcher.runs.events import ProcessStarted, RunCreated
from launcher.runs.layout import AttemptLayout
from launcher.runs.record import RecordReader
from launcher.runs.store import RunDirectory

_MIRROR = "mirror"  # the copy of the record on the second host
_HOSTS, _ASKED = "hosts", "asked"
_RECORD = frozenset(("events.jsonl", "supervisor.log"))
_TALK = (".log", ".txt", ".jsonl")  # of npu-launch's own files, those that tell what happened
_PARTIAL = ".partial"  # a file that is still being fetched

# Where MindSpore's logs may lie in a rank's own folder: GLOG_log_dir, rank_0, logs. Others may hold a whole data set.
_LOG_FOLDER = re.compile(r".*log.*|rank_\d+", re.IGNORECASE)
_LOG_DEPTH = 4


class _Process(NamedTuple):
    """What the record says of a process of an attempt."""

    host: str | None = None
    device: int | None = None
    pid: int | None = None


def files_of_run(run: RunDirectory, attempt: int | None) -> list[LogFile]:
    """Every log of an attempt (None: of all of them) that this machine has, and those of the run as a whole.

    That is what ranks and services wrote, CANN's logs of each, what was gathered from hosts, and npu-launch's own. What
    is gone while this looks is left out. The files lie by streams, the parts of a rotated log in order.
    """
    found = [(file, part) for file, part in _Run(run, _processes(run)).files(attempt) if file.path.suffix != _PARTIAL]
    return in_streams(with_ranks_of_devices(found))


def files_of_rank(run: RunDirectory, attempt: int, rank: int) -> list[LogFile]:
    """What one rank of an attempt has written up to now, without what only a record says of its process."""
    return [file for file, _ in _Run(run, {}).of_rank(attempt, rank)]


def is_run(folder: Path) -> bool:
    """Whether a folder is that of a run, or a copy of one."""
    attempts = folders_in(RunDirectory(folder).layout.attempts)
    return any(path.name.isdecimal() and _looks_like_attempt(AttemptLayout(path)) for path in attempts)


def _looks_like_attempt(attempt: AttemptLayout) -> bool:
    return attempt.plan.exists() or attempt.ranks.is_dir() or (attempt.directory / _HOSTS).is_dir()


class _Run:
    """The folder of one run, with what its record says of processes: by attempt, and by rank or service."""

    def __init__(self, run: RunDirectory, processes: Mapping[tuple[int, int | str], _Process]) -> None:
        self._run = run
        self._processes = processes

    def files(self, attempt: int | None) -> Iterator[tuple[LogFile, Part]]:
        """Every file that is a log, rotated ones with their places."""
        yield from self._of_launcher()
        for folder in folders_in(self._run.layout.attempts):
            if folder.name.isdecimal() and attempt in (None, int(folder.name)):
                yield from self._of_attempt(int(folder.name))

    def _of_launcher(self) -> Iterator[tuple[LogFile, Part]]:
        both = (*files_in(self._run.path / _MIRROR), *files_in(self._run.path))
        record = {path.name: path for path in both if named(path.name).part.log in _RECORD}
        for path in record.values():
            yield self._file(path, Source.LAUNCHER)
        for host in folders_in(self._run.path / _HOSTS):
            for path in files_in(host):
                if self._tells(path):
                    yield self._file(path, Source.LAUNCHER, process=_Process(host=host.name))

    def _of_attempt(self, number: int) -> Iterator[tuple[LogFile, Part]]:
        layout = self._run.layout.attempt(number)
        for path in files_in(layout.directory):
            if self._tells(path):
                yield self._file(path, Source.LAUNCHER, number)
        for folder in folders_in(layout.ranks):
            if folder.name.isdecimal():
                yield from self.of_rank(number, int(folder.name))
        for folder in folders_in(layout.services):
            service = layout.service(folder.name)
            yield from self._output(service.log, Source.SCHEDULER, number, self._process(number, folder.name))
            yield from self._of_framework(service.work, number, self._process(number, folder.name))
        for evidence in (layout.directory, *folders_in(layout.directory / _ASKED)):
            for host in folders_in(evidence / _HOSTS):
                for path in files_below(host).files:
                    source = named(path.relative_to(host).as_posix()).source or Source.HOST
                    yield self._file(path, source, number, _Process(host=host.name))

    def of_rank(self, attempt: int, rank: int) -> Iterator[tuple[LogFile, Part]]:
        """The output of a rank, and the logs that CANN and its framework keep of it."""
        layout = self._run.layout.attempt(attempt).rank(rank)
        process = self._process(attempt, rank)
        yield from self._output(layout.log, Source.STDOUT, attempt, process, rank)
        for path in files_below(layout.cann).files:
            source = named(path.relative_to(layout.cann).as_posix()).source or Source.PLOG
            yield self._file(path, source, attempt, process._replace(pid=None), rank)
        yield from self._of_framework(layout.work, attempt, process, rank)

    def _output(
        self, log: Path, source: Source, attempt: int, process: _Process, rank: int | None = None
    ) -> Iterator[tuple[LogFile, Part]]:
        for path in files_in(log.parent):
            if path.name.startswith(log.name):
                yield self._file(path, source, attempt, process, rank)

    def _of_framework(
        self, work: Path, attempt: int, process: _Process, rank: int | None = None
    ) -> Iterator[tuple[LogFile, Part]]:
        for path in _framework_logs(work, _LOG_DEPTH):
            yield self._file(path, Source.FRAMEWORK, attempt, process._replace(pid=None), rank)

    def _process(self, attempt: int, of: int | str) -> _Process:
        return self._processes.get((attempt, of), _Process())

    def _tells(self, path: Path) -> bool:
        return named(path.name).part.log.endswith(_TALK)

    def _file(
        self,
        path: Path,
        source: Source,
        attempt: int | None = None,
        process: _Process | None = None,
        rank: int | None = None,
    ) -> tuple[LogFile, Part]:
        """A log, by its name before it was compressed, which `open_log` and `existing` take.

        What the record says of its process comes before what its name says.
        """
        process = process or _Process()
        path = path.with_name(path.name.removesuffix(COMPRESSED))
        name = path.relative_to(self._run.path).as_posix()
        said = named(name)
        device = process.device if process.device is not None else said.claims.device
        pid = process.pid if process.pid is not None else said.claims.pid
        return LogFile(path, name, source, attempt, process.host, rank, device, pid), said.part


def _framework_logs(folder: Path, depth: int) -> Iterator[Path]:
    yield from (path for path in files_in(folder) if named(path.name).source is Source.FRAMEWORK)
    for below in folders_in(folder) if depth else ():
        if _LOG_FOLDER.fullmatch(below.name):
            yield from _framework_logs(below, depth - 1)


def _processes(run: RunDirectory) -> dict[tuple[int, int | str], _Process]:
    """What the record says of each attempt's ranks, by number, and services, by name; nothing where there is none."""
    found: dict[tuple[int, int | str], _Process] = {}
    has_devices = False
    with suppress(OSError):
        for event in RecordReader(run.layout.events).read():
            if isinstance(event, RunCreated):
                has_devices = event.target == Target.ASCEND.value
            elif isinstance(event, ProcessStarted):
                of = event.name if event.rank is None else event.rank
                found[event.attempt, of] = _Process(event.host, event.slot if has_devices else None, event.pid)
    return found
