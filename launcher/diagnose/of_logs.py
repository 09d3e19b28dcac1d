"""Why a job failed by logs that lie anywhere: a folder, an archive, a bundle of a run, a file, a stream."""

from __future__ import annotations

import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from launcher.diagnose.context import Context
from launcher.diagnose.diagnosing import diagnose_files, diagnose_folder
from launcher.diagnose.diagnosis import Diagnosis
from launcher.diagnose.loading import rulebook
from launcher.diagnose.of_run import diagnose_attempt, with_upgrades
from launcher.diagnose.verdict import Subject, Verdict
from launcher.diagnose.wording import verdict
from launcher.errors import UsageError
from launcher.logs.archives import is_archive, unpacked
from launcher.logs.record import LogFile, Source
from launcher.logs.sources.names import named
from launcher.logs.sources.own import is_run
from launcher.logs.sources.samples import MOST, sample
from launcher.logs.sources.sayings import said_in
from launcher.runs.store import RunDirectory

STREAM: Final = "-"
_MOST_REASONS: Final = 3  # why nothing was read


def diagnose_path(path: Path) -> Verdict:
    """What broke first by a folder, an archive or a single log. Raises UsageError, InfrastructureError, SpecError."""
    if path.is_dir():
        return _of_folder(path, str(path))
    if not path.exists():
        raise UsageError("there is no such file or folder", where=str(path))
    if not path.is_file():  # a pipe would be waited for
        raise UsageError(
            "it is neither a file nor a folder",
            where=str(path),
            expected="a folder, an archive or a log",
            remedy=f"npu-launch diagnose - < {shlex.quote(str(path))} reads what comes on a pipe",
        )
    if is_archive(path):
        with unpacked(path) as folder:
            return _of_folder(folder, str(path))
    return _told(str(path), diagnose_files([_as_log(path, path.name)], rulebook()))


def diagnose_stream(stream: IO[bytes]) -> Verdict:
    """The same of what comes on a stream, which is kept on disk meanwhile."""
    with _on_disk(stream) as path:
        if is_archive(path):
            with unpacked(path) as folder:
                return _of_folder(folder, STREAM)
        return _told(STREAM, diagnose_files([_as_log(path, STREAM)], rulebook()))


def _of_folder(folder: Path, name: str) -> Verdict:
    """The folder of one run, or a copy of one, is read with its record."""
    run = _run_in(folder)
    if run is not None and run.state().attempts:
        found = diagnose_attempt(run, run.state().attempts[-1].number)
        return found.model_copy(update={"subject": Subject(kind="logs", name=name)})
    return _told(name, diagnose_folder(folder, rulebook()))


def _run_in(folder: Path) -> RunDirectory | None:
    """The run whose folder this is, or the only thing in it."""
    if is_run(folder):
        return RunDirectory(folder)
    within = [path for path in folder.iterdir() if path.is_dir()]
    return RunDirectory(within[0]) if len(within) == 1 and is_run(within[0]) else None


def _told(name: str, found: Diagnosis) -> Verdict:
    """Raises UsageError where there was something, and nothing of it could be read: that is not without a fault."""
    if found.notes and not found.counts.bytes and not found.findings:
        raise UsageError(
            f"nothing was read: {'; '.join(found.notes[:_MOST_REASONS])}",
            where=name,
            expected="logs that can be read, or an archive of them",
            remedy="copy it again, or unpack what can be saved and name the folder",
        )
    return verdict(Subject(kind="logs", name=name), with_upgrades(found, Context()), rulebook())


def _as_log(path: Path, name: str) -> LogFile:
    """A single log, with what its name and its lines say of who wrote it."""
    known = named(path.name)
    source = known.source or said_in(sample(path, MOST)).source or Source.STDOUT
    claims = known.claims
    return LogFile(path, name, source, None, claims.host, claims.rank, claims.device, claims.pid)


@contextmanager
def _on_disk(stream: IO[bytes]) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="npu-launch-stdin-") as folder:
        path = Path(folder) / "stdin.log"
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
        yield path
