"""A run's record as a second host keeps it, until it becomes the run's home.

The copy lies below the run's folder there, in `mirror/`: a host that is not the home must not take the run for its own.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from launcher.runs.fold import fold
from launcher.runs.home import write_file
from launcher.runs.layout import RunLayout
from launcher.runs.record import RecordReader
from launcher.runs.store import RunDirectory
from launcher.supervise import on_host

_LABEL = "mirror.json"  # in the run's folder: whose record is kept in the folder beside it
_FOLDER = "mirror"


class Held(NamedTuple):
    """How many bytes of a record there are, and their sha256."""

    size: int
    digest: str


class Growth(NamedTuple):
    """What a second host has not: files of a run, by their names in its folder, and its record from `offset` on."""

    files: Mapping[str, bytes]
    offset: int
    events: bytes


class Mirrored(NamedTuple):
    """A run that has not ended as far as its copied record tells.

    `home` is the host that it was at home on, `written` when the copy last grew (seconds since the epoch, by the clock
    of that host), `size` the bytes of its record. Of several hosts' copies the longest is the newest.
    """

    run: RunDirectory
    home: str
    written: float
    size: int


def held(run: RunDirectory) -> Held:
    """What is kept here of a run's record."""
    return digest_of(copy_of(run).events)


def digest_of(events: Path, size: int = -1) -> Held:
    """The beginning of a record, or all of it; nothing when there is none."""
    try:
        with events.open("rb") as file:
            content = file.read(size)
    except OSError:
        content = b""
    return Held(len(content), hashlib.sha256(content).hexdigest())


def keep(run: RunDirectory, mark: str, home: str, growth: Growth) -> int:
    """Keep what has come to the run on its home, which has this name and mark; the size of the record here now.

    A record that does not reach to what is new stays as it is, and what it has beyond that goes. Raises OSError and
    InfrastructureError.
    """
    copy = copy_of(run)
    on_host.deliver(run, mark, {str(copy.directory / name): content for name, content in growth.files.items()})
    copy.directory.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(copy.events, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size >= growth.offset:
            os.ftruncate(descriptor, growth.offset)
            size = growth.offset
            while fresh := growth.events[size - growth.offset :]:
                size += os.pwrite(descriptor, fresh, size)
    finally:
        os.close(descriptor)
    write_file(run.path / _LABEL, json.dumps({"home": home, "written": time.time()}) + "\n")
    return size


def mirrored_runs(home: Path) -> list[Mirrored]:
    """The runs below a home of npu-launch whose record is kept here for another host, and has no end."""
    found: list[Mirrored] = []
    for label in sorted((home / "runs").glob(f"*/{_LABEL}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            told = json.loads(label.read_bytes())
            run = RunDirectory(label.parent)
            events = copy_of(run).events
            state = fold(RecordReader(events).read())
            if state.run and not state.phase.ended:
                found.append(Mirrored(run, told["home"], float(told["written"]), events.stat().st_size))
    return found


def adopt(run: RunDirectory) -> None:
    """Make this host the home of a run whose record is kept here; whoever supervises it next goes on from there.

    To be called when nobody supervises the run. May be called again when it was interrupted. Raises OSError.
    """
    copy = copy_of(run)
    # The record comes last: as long as it is not in its place, `mirrored_runs` tells of the run.
    files = [path for path in copy.directory.rglob("*") if path.is_file() and path.suffix != ".partial"]
    for path in sorted(files, key=lambda path: path == copy.events):
        to = run.path / path.relative_to(copy.directory)
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.replace(to)
    (run.path / _LABEL).unlink(missing_ok=True)


def copy_of(run: RunDirectory) -> RunLayout:
    """Where the copies of a run's files lie on the second host."""
    return RunLayout(run.path / _FOLDER)
