"""What a rank's log says that it has not said before, at a bounded cost."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher.logs.metrics import LineReader, Observation, Step
from launcher.logs.progress import RankProgress, advance
from launcher.logs.survey import share_of, survey, whole_lines
from launcher.logs.trouble import Health, Sign
from launcher.supervise.watch.standstill import Signs

_FIRST_LOOK = 1 << 20  # bytes of the head and the tail of a log that is there already; less for one of many
_NEWEST = 1 << 18  # bytes read at a look, the newest
_FIRST_LINES = 16  # of those that may say something: how long training is, where it resumed
_LAST_LINES = 32  # where it stands


@dataclass(frozen=True)
class Look:
    """What is new in a rank's log: written `at` the latest (seconds since the epoch).

    `stepped` says that a step line is among it, `marked` any line that tells of training. At the first look nobody
    knows when those lines were written. `signs` are of trouble that has begun with them.
    """

    rank: int
    at: float
    stepped: bool
    marked: bool
    is_first: bool = False
    signs: tuple[Sign, ...] = ()


class LogSampler:
    """The log of one of so many ranks; a chatty one costs no more than the newest part of what it wrote.

    `stepped`, `marked` and `grew` are when there was last something of the kind.
    """

    def __init__(self, rank: int, path: Path, ranks: int, reader: LineReader) -> None:
        self._rank = rank
        self._path = path
        self._reader = reader
        self._budget = min(_FIRST_LOOK, share_of(ranks))
        self._size = -1
        self._offset = 0
        self._looked = 0.0
        self.progress = RankProgress()
        self.health = Health()
        self.stepped: float | None = None
        self.marked: float | None = None
        self.grew: float | None = None

    def look(self, now: float) -> Look | None:
        """What has come since the last look; None when the log has not grown."""
        look = self._look(now)
        if look is not None:
            self.grew = look.at
            self.marked = look.at if look.marked else self.marked
            self.stepped = look.at if look.stepped else self.stepped
        return look

    def _look(self, now: float) -> Look | None:
        try:
            status = os.stat(self._path)  # noqa: PTH116 - half the cost of Path.stat, once a second and rank
        except OSError:
            return None
        if status.st_size == self._size or not status.st_size:
            return None
        # A clock elsewhere (NFS) may differ from ours: what is new was written after the look before.
        at = min(max(status.st_mtime, self._looked), now)
        self._looked = now
        if self._size < 0:
            return self._first_look(status.st_size, at)
        if status.st_size < self._size:  # truncated
            self._offset = 0
        self._size = status.st_size
        before = self.health
        stepped = marked = False
        for offset, line in self._new_lines():
            if (seen := self._reader.observe(line)) is not None:
                self._take_in(seen, offset, line, at)
                stepped = stepped or (self.progress.trains and isinstance(seen, Step))
                marked = True
        signs = tuple(sign for kind, sign in self.health.signs.items() if kind not in before.signs)
        return Look(self._rank, at, stepped, marked, signs=signs)

    def _take_in(self, seen: Observation, offset: int, line: bytes, at: float) -> None:
        self.progress = advance(self.progress, seen, at)
        self.health = self.health.after(seen, offset, line, self.progress.steps_done, at)

    def look_anew(self) -> None:
        """After a time in which nobody looked."""
        self.health = self.health.unseen()

    def _first_look(self, size: int, at: float) -> Look:
        found = survey(self._path, self._reader, self._budget)
        self._size, self._offset, self.progress, self.health = size, found.offset, found.progress, found.health
        marked, signs = self.progress != RankProgress(), tuple(self.health.signs.values())
        return Look(self._rank, at, self.progress.trains, marked, is_first=True, signs=signs)

    def _new_lines(self) -> Sequence[tuple[int, bytes]]:
        """Of the newest bytes, whole lines that may say something, each with its offset: the first and the last."""
        start = max(self._offset, self._size - _NEWEST)
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return ()
        try:
            block = os.pread(descriptor, self._size - start, start)
        except OSError:
            return ()
        finally:
            os.close(descriptor)
        first = block.find(b"\n") + 1 if start > self._offset else 0  # what was passed over may end in half a line
        whole = whole_lines(block)
        self._offset = start + whole
        lines = [(start + first + place, line) for place, line in self._reader.marked_lines(block[first:whole])]
        if len(lines) > _FIRST_LINES + _LAST_LINES:
            return [*lines[:_FIRST_LINES], *lines[-_LAST_LINES:]]
        return lines


def signs_of(looks: Sequence[Look]) -> Signs:
    """What looks at several ranks' logs showed."""
    return Signs(
        stepped=max((look.at for look in looks if look.stepped), default=None),
        marked=max((look.at for look in looks if look.marked), default=None),
        grew=max((look.at for look in looks), default=None),
        steps={look.rank: look.at for look in looks if look.stepped and not look.is_first},
    )


def signs_so_far(samplers: Sequence[LogSampler], now: float) -> Signs:
    """What all looks at these logs have shown up to now."""

    def latest(times: Iterable[float | None]) -> float | None:
        return max((min(at, now) for at in times if at is not None), default=None)

    return Signs(
        stepped=latest(sampler.stepped for sampler in samplers),
        marked=latest(sampler.marked for sampler in samplers),
        grew=latest(sampler.grew for sampler in samplers),
    )
