"""What in a run's folder is npu-launch's to keep or let go, and what is the user's: checkpoints, working folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import NamedTuple

from launcher.logs.gaps import stored_bytes
from launcher.logs.packed import COMPRESSED


class Kind(Enum):
    """What a file is. RECORD is what tells what a run was; LOG may be cut and compressed; REST is neither."""

    RECORD = "record"
    LOG = "log"
    REST = "rest"
    USERS = "users"


class Belonging(NamedTuple):
    """A file, or a link, of a run, and the bytes of disk that it takes."""

    path: Path
    kind: Kind
    stored: int


_RECORD = frozenset(
    ("run.json", "recipe.yaml", "cluster.yaml", "events.jsonl", "hosts.json", "home.mark", "mirror.json")
)
_OF_RUN = frozenset(("hosts", "mirror"))  # folders: what shims wrote, the copy of another host's record
_ABOUT_RUN = frozenset(("supervisor.log", "supervisor.lock"))
_ABOUT_ATTEMPT = (".json", ".txt", ".log", ".lock")  # nobody but npu-launch has reason to put such a file there
_OF_ATTEMPT = frozenset(("hosts", "asked"))  # folders of what hosts said
_OF_PROCESS = frozenset(("ranks", "services"))
_TEXT = (".log", ".txt", ".cut")


def belongings(run: Path) -> Iterator[Belonging]:
    """Every file of a run's folder. No link is followed; what cannot be read or is nobody's is the user's."""
    for entry in _entries(run):
        name = entry.name
        if name == "attempts" and _is_folder(entry):
            for attempt in _entries(Path(entry)):
                yield from _of_attempt(attempt)
        elif name in _OF_RUN and _is_folder(entry):
            yield from _below(entry, Kind.REST)
        else:
            yield from _below(entry, Kind.RECORD if name in _RECORD else _rest_if(name in _ABOUT_RUN))


def _of_attempt(attempt: os.DirEntry[str]) -> Iterator[Belonging]:
    for entry in _entries(Path(attempt)) if _is_folder(attempt) else ():
        if not _is_folder(entry):
            plan_alone = entry.name == "plan.json"
            yield from _below(entry, Kind.RECORD if plan_alone else _rest_if(entry.name.endswith(_ABOUT_ATTEMPT)))
        elif entry.name in _OF_ATTEMPT:
            yield from _below(entry, Kind.LOG)
        elif entry.name in _OF_PROCESS:
            for process in _entries(Path(entry)):
                yield from _of_process(process)
        else:
            yield from _below(entry, Kind.USERS)


def _of_process(process: os.DirEntry[str]) -> Iterator[Belonging]:
    if not _is_folder(process):
        yield from _below(process, Kind.USERS)
        return
    for entry in _entries(Path(process)):
        ours = entry.name == "cann" if _is_folder(entry) else entry.name.startswith("stdout.log")
        yield from _below(entry, Kind.LOG if ours else Kind.USERS)


def _below(entry: os.DirEntry[str], kind: Kind) -> Iterator[Belonging]:
    if _is_folder(entry):
        for inner in _entries(Path(entry)):
            yield from _below(inner, kind)
        return
    try:
        status = entry.stat(follow_symlinks=False)
    except OSError:
        return  # it has just gone
    if not stat.S_ISREG(status.st_mode):
        kind = Kind.USERS
    elif kind is Kind.LOG and not _is_text(entry.name):
        kind = Kind.REST
    yield Belonging(Path(entry), kind, stored_bytes(status))


def _is_text(name: str) -> bool:
    return name.endswith(_TEXT) or name.endswith(tuple(text + COMPRESSED for text in _TEXT))


def _rest_if(ours: bool) -> Kind:
    return Kind.REST if ours else Kind.USERS


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
