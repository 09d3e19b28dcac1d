"""The logs of a run as they grow, until the run has ended."""

from __future__ import annotations

import signal
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING, Generic

from launcher.cli.interrupts import Interrupts
from launcher.cli.log_catalogue import Catalogue, parts_of
from launcher.cli.log_cursor import Cursor
from launcher.cli.log_output import Output, Resumed
from launcher.cli.log_printing import Request, print_logs
from launcher.cli.log_text import Item
from launcher.cli.output import talk
from launcher.cli.wording import ranks_phrase
from launcher.errors import ExitCode
from launcher.logs.follow import SAFETY_TICK
from launcher.logs.followed import FollowedLogs
from launcher.logs.host_clocks import corrections
from launcher.logs.lines import Lines
from launcher.logs.merge import Chunk, merged
from launcher.logs.record import LogFile, Source
from launcher.logs.stamps import Correction
from launcher.logs.whole import without_torn_line
from launcher.runs.events import ClockMeasured
from launcher.supervise.followed_record import FollowedRecord

if TYPE_CHECKING:
    from launcher.runs.state import AttemptState


def follow_logs(
    catalogue: Catalogue, request: Request[Item], output: Output, only: int | None, cursor: Cursor | None
) -> ExitCode | None:
    """What there is and what comes, until the run, or the attempt `only`, is over; a restart goes on with the next.

    `cursor` is the place that another following of the same request had come to. INTERRUPTED for one that was
    interrupted; None at the end.
    """
    following = LogFollowing(catalogue, request, output, only)
    with Interrupts() as interrupts:
        try:
            following.begin(cursor)
            while not following.step():
                following.wait(interrupts)
                if interrupts.take() - {signal.SIGWINCH}:
                    return ExitCode.INTERRUPTED
            return None
        finally:
            following.close()


class LogFollowing(Generic[Item]):
    """One following of a run's logs. Call `begin`, then `step` and `wait` in turn until it is over."""

    def __init__(self, catalogue: Catalogue, request: Request[Item], output: Output, only: int | None) -> None:
        self._catalogue = catalogue
        self._request = request
        self._output = output
        self._only = only
        self._record = FollowedRecord(catalogue.run)
        self._logs = FollowedLogs(request.selection, levels=request.form.levels)
        self._logs.wake_for(catalogue.run.layout.events)
        self._clocks: list[ClockMeasured] = []
        self._corrections: dict[str, Correction] = {}
        self._begun = 0  # the latest attempt that is followed
        self._outputs: dict[int, LogFile] = {}  # by rank, where it writes now
        self._look_again = 0.0  # when other files may have come, by the monotonic clock

    def begin(self, cursor: Cursor | None) -> None:
        """Show what there is."""
        self._take_in_record()
        attempt = self._first_attempt(cursor)
        files = [*self._catalogue.files(self._record.state, attempt), *self._beside(attempt)]
        if cursor is None:
            parts = [without_torn_line(part) for part in parts_of(files)]
            cursor = Cursor.before(attempt.number, parts)
            self._output.mark(cursor.mark)
        if cursor.shown is not None:
            logs = self._catalogue.logs(self._record.state, cursor.past(files))
            print_logs(logs, self._request, Resumed(self._output, cursor.shown))
            self._output.mark({"shown": None})
        self._follow(attempt, files, cursor)
        for later in self._record.state.attempts:
            if later.number > attempt.number and self._only is None:
                self._follow(later, self._catalogue.files(self._record.state, later), cursor)

    def step(self) -> bool:
        """Show what is new; whether nothing more will come."""
        self._take_in_record()
        state = self._record.state
        over = state.phase.ended or (self._only is not None and state.attempts[-1].number != self._only)
        for attempt in state.attempts:
            if attempt.number > self._begun and self._only is None:
                self._finish(self._outputs[rank] for rank in attempt.ranks if rank in self._outputs)
                talk(f"npu-launch: attempt {attempt.number}: {ranks_phrase(attempt.ranks)}")
                self._follow(attempt, self._catalogue.files(state, attempt))
        self._look_for_others(at_once=over)
        self._show(self._logs.read(time.time()))
        if over:
            self._finish()
        return over

    def wait(self, interrupts: Interrupts) -> None:
        """Until there may be something new, or an interrupt has come."""
        self._logs.wait(SAFETY_TICK, interrupts.fd)
        time.sleep(self._request.form.pause)

    def close(self) -> None:
        self._logs.close()

    # -- which files ---------------------------------------------------------------------------------------------------

    def _take_in_record(self) -> None:
        for event, _ in self._record.read():
            if isinstance(event, ClockMeasured):
                self._clocks.append(event)
                self._corrections = corrections(self._clocks)
                self._look_again = 0.0

    def _first_attempt(self, cursor: Cursor | None) -> AttemptState:
        attempts = self._record.state.attempts
        wanted = self._only if cursor is None else cursor.attempt
        return next((attempt for attempt in attempts if attempt.number == wanted), attempts[-1])

    def _beside(self, attempt: AttemptState) -> list[LogFile]:
        return self._catalogue.beside(self._record.state, attempt) if self._only is None else []

    def _follow(self, attempt: AttemptState, files: Iterable[LogFile], cursor: Cursor | None = None) -> None:
        self._begun = attempt.number
        for file in files:
            place = None if cursor is None else cursor.place_of(file)
            self._logs.add(file, place, self._corrections.get(file.host or ""))
            if file.source is Source.STDOUT and file.rank is not None:
                self._outputs[file.rank] = file

    def _look_for_others(self, *, at_once: bool) -> None:
        """What rotation and programs that began late have added, and what the record knows better now."""
        if time.monotonic() < self._look_again and not at_once:
            return
        self._look_again = time.monotonic() + SAFETY_TICK
        state = self._record.state
        attempt = next(attempt for attempt in state.attempts if attempt.number == self._begun)
        for file in self._catalogue.files(state, attempt):
            self._logs.add(file, None, self._corrections.get(file.host or ""))

    # -- what they say -------------------------------------------------------------------------------------------------

    def _finish(self, of: Iterable[LogFile] | None = None) -> None:
        """Show what is left of these files, or of all; nobody writes to them any more."""
        while pieces := self._logs.read(time.time()):
            self._show(pieces)
        self._show(self._logs.finish(time.time(), None if of is None else list(of)))

    def _show(self, pieces: Iterable[tuple[LogFile, Lines]]) -> None:
        form = self._request.form
        by_log: defaultdict[str, list[Chunk[Item]]] = defaultdict(list)
        for file, lines in pieces:
            by_log[file.name].append((lines.keys, form.items(file, lines)))
        for _, items in merged([iter(chunks) for chunks in by_log.values()]):
            self._output.write(form.together(items))
        if by_log:
            self._output.write(form.rest())
        if moved := self._logs.moved():
            self._output.mark({"places": moved})
