"""What of a run goes into a bundle, and how much of each file; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Final

from launcher.supervise.mirror.news import fair_shares


class Part(Enum):
    """What a file is to somebody who looks for a cause; `room` is how many bytes all files of a part may take."""

    RECORD = "record"
    FIRST_FAILURE = "the rank that failed first"
    RANKS = "ranks and services"
    CANN = "CANN"
    HOSTS = "hosts"

    @property
    def room(self) -> int:
        """Bytes of text."""
        return _ROOM[self]


_ROOM: Final = {
    Part.RECORD: 8 << 20,
    Part.FIRST_FAILURE: 6 << 20,
    Part.RANKS: 8 << 20,
    Part.CANN: 6 << 20,
    Part.HOSTS: 4 << 20,
}
_ATTEMPTS: Final = 3  # whose logs are taken: the last; of those before, the record alone
_OF_RUN: Final = frozenset(("events.jsonl", "recipe.yaml", "cluster.yaml", "run.json", "hosts.json", "supervisor.log"))
_OF_ATTEMPT: Final = frozenset(("plan.json", "hccl.json", "gathered.json", "diagnosis.json", "stacks.txt"))


@dataclass(frozen=True)
class Candidate:
    """A file of the run: its name below the run's folder, as it would be unpacked, and the bytes of its text."""

    name: str
    size: int


@dataclass(frozen=True)
class Chosen:
    """A file that goes into the bundle, and how many bytes of it at most."""

    name: str
    part: Part
    most: int


def choose(files: Iterable[Candidate], latest: int, first_failure: int | None) -> tuple[Chosen, ...]:
    """What goes into a bundle, in the order of names; files of one part share its room fairly.

    `latest` is the number of the last attempt, `first_failure` the rank that failed first in it.
    """
    by_part: dict[Part, list[Candidate]] = {}
    for file in sorted(files, key=lambda file: file.name):
        part = part_of(file.name, latest, first_failure)
        if part is not None:
            by_part.setdefault(part, []).append(file)
    chosen = [
        Chosen(file.name, part, share)
        for part, members in by_part.items()
        for file, share in zip(members, _shares(members, part.room), strict=True)
    ]
    return tuple(sorted(chosen, key=lambda each: each.name))


def part_of(name: str, latest: int, first_failure: int | None) -> Part | None:
    """What a file is, by its name below the run's folder; None for one that is left out."""
    folders = name.split("/")
    if folders[-1] in {1: _OF_RUN, 3: _OF_ATTEMPT}.get(len(folders), ()):
        return Part.RECORD
    if folders[0] == "hosts" and folders[-1] in ("shim.jsonl", "shim.log"):
        return Part.HOSTS
    if len(folders) < 4 or folders[0] != "attempts" or not folders[1].isdecimal():
        return None
    number = int(folders[1])
    if number <= latest - _ATTEMPTS:
        return None
    if folders[2] in ("hosts", "asked"):
        return Part.HOSTS
    if number == latest and folders[2] == "ranks" and folders[3] == str(first_failure):
        return Part.FIRST_FAILURE
    return Part.CANN if "cann" in folders[4:5] else Part.RANKS


def _shares(files: Sequence[Candidate], room: int) -> list[int]:
    return fair_shares([file.size for file in files], room)
