"""The logs of a run that somebody wants to see, now and as attempts begin."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from launcher.logs.choice import Choice, logs_of
from launcher.logs.host_clocks import corrections
from launcher.logs.packed import at_hand
from launcher.logs.record import LogFile, Source
from launcher.logs.whole import Log, Part, part_of
from launcher.runs.events import Event, ProcessStarted
from launcher.runs.record import RecordReader
from launcher.runs.state import RankPhase

if TYPE_CHECKING:
    from launcher.runs.state import AttemptState, RunState
    from launcher.runs.store import RunDirectory


@dataclass(frozen=True)
class Catalogue:
    """Of one run."""

    run: RunDirectory
    choice: Choice

    def files(self, state: RunState, attempt: AttemptState) -> list[LogFile]:
        """Those of an attempt that are wanted: the outputs of ranks, there or not yet, and others that are there."""
        outputs = [self._output(state, attempt.number, rank) for rank in attempt.ranks]
        found = [file for file in outputs if self.choice.includes(file)]
        if self.choice.sources != {Source.STDOUT}:
            from launcher.logs.sources import files_of_run

            known = {file.path for file in outputs}
            others = files_of_run(self.run, attempt.number)
            found += [file for file in others if file.path not in known and self.choice.includes(file)]
        return found

    def beside(self, state: RunState, attempt: AttemptState) -> list[LogFile]:
        """The outputs of ranks that still run since an attempt before this one."""
        running = (state.ranks[rank] for rank in state.ranks_in(RankPhase.RUNNING))
        outputs = (self._output(state, rank.attempt, rank.rank) for rank in running if rank.attempt)
        return [file for file in outputs if file.attempt != attempt.number and self.choice.includes(file)]

    def logs(self, state: RunState, parts: Iterable[Part]) -> list[Log]:
        """The logs that these parts of files are of."""
        begun = {attempt.number: attempt.started for attempt in state.attempts}
        return logs_of(parts, begun, corrections(self._events))

    @cached_property
    def _events(self) -> list[Event]:
        return RecordReader(self.run.layout.events).read()

    @cached_property
    def _past(self) -> dict[tuple[int, int], ProcessStarted]:
        """The processes of ranks that had begun when the record was read, by attempt and rank."""
        started = (event for event in self._events if isinstance(event, ProcessStarted))
        return {(event.attempt, event.rank): event for event in started if event.rank is not None}

    def _output(self, state: RunState, attempt: int, rank: int) -> LogFile:
        """The file that a rank's output goes to; its host and process are known when it has begun."""
        path = at_hand(self.run.rank_log(attempt, rank))
        file = LogFile(path, path.relative_to(self.run.path).as_posix(), Source.STDOUT, attempt, rank=rank)
        now = state.ranks.get(rank)
        process = now if now is not None and now.attempt == attempt else self._past.get((attempt, rank))
        if process is None:
            return file
        return file._replace(host=process.host, device=process.slot, pid=process.pid)


def parts_of(files: Iterable[LogFile]) -> list[Part]:
    """All that there is of files, without those that are not there."""
    return [part for file in files if (part := part_of(file)) is not None]
