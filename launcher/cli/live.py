"""A run drawn on a terminal, and drawn again as it changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from launcher.cli.conditions import conditions
from launcher.cli.plain import explanation
from launcher.cli.rows import rank_rows, table
from launcher.cli.summary import headline, phase_style
from launcher.cli.view import RunView
from launcher.cli.wording import count, duration
from launcher.logs.safe import safe_line
from launcher.runs.events import Event
from launcher.runs.state import RankPhase

_COLOURS = {"good": "bold green", "bad": "bold red", "warn": "bold yellow"}
_RANK_COLOURS = {
    RankPhase.FAILED: "red",
    RankPhase.LOST: "red",
    RankPhase.STOPPED: "yellow",
    RankPhase.WAITING: "dim",
    RankPhase.SUCCEEDED: "green",
    RankPhase.RUNNING: "",
}
_REDRAW_SECONDS = 0.1
_LINES_AROUND_RANKS = 6  # headline, column headings, hidden ranks, progress, last line, and the cursor's


def drawing(view: RunView, height: int, spoken: str = "") -> RenderableType:
    """The screen for a view: at most `height - 1` lines, none of them wrapped.

    `spoken` is the latest line of the rank that speaks for all.
    """
    unusual = [_line(f"  {label:<8}{text}", "yellow") for label, text in conditions(view)]
    rows, hidden = rank_rows(view, max(height - _LINES_AROUND_RANKS - len(unusual), 1))
    first, *others = table(view, rows)
    lines: list[RenderableType] = [
        _line(headline(view), _COLOURS[phase_style(view.state.phase)]),
        *unusual,
        _line(first, "bold"),
    ]
    lines += [_line(text, _RANK_COLOURS[row.phase]) for row, text in zip(rows, others, strict=True)]
    if hidden:
        lines.append(_line(f"      and {count(hidden, 'rank')} more, further on than these", "dim"))
    if (progress := _progress(view)) is not None:
        lines.append(progress)
    if spoken:
        lines.append(_line(spoken, "dim"))
    return Group(*lines[: max(height - 1, 1)])


class LiveScreen:
    """Redraws in place on stderr; what has to stay is written above the drawing."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stderr, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None
        self._size = self._console.size
        self._drawn = 0.0
        self._spoken = ""
        self._gone = False

    def happened(self, events: Sequence[Event], _view: RunView) -> None:
        """Keep what explains a change in sight, above the drawing."""
        for event in events:
            if text := explanation(event):
                self._above(text)

    def wrote(self, rank: int, lines: Sequence[bytes]) -> None:
        """Remember the last line that says something."""
        spoken = next((text for line in reversed(lines[-50:]) if (text := safe_line(line, 1000)).strip()), "")
        if spoken:
            self._spoken = f"rank {rank} | {spoken}"

    def draw(self, view: RunView) -> None:
        """Show the view, unless the last drawing is too fresh to be seen."""
        size = self._console.size
        resized = size != self._size
        fresh = time.monotonic() - self._drawn < _REDRAW_SECONDS
        if self._gone or (fresh and not resized and not view.state.phase.ended):
            return
        with self._while_there():
            if resized:
                # The terminal has wrapped or cut the old drawing in its own way: where it begins is not known any more.
                self.close()
                self._console.clear()
                self._size = size
            if self._live is None:
                self._live = Live(console=self._console, auto_refresh=False, transient=True, redirect_stdout=False)
                self._live.start()
            self._live.update(drawing(view, size.height, self._spoken), refresh=True)
            self._drawn = time.monotonic()

    def close(self) -> None:
        """Take the drawing away and give the cursor back; `draw` begins anew."""
        live, self._live, self._drawn = self._live, None, 0.0
        if live is not None:
            with self._while_there():
                live.stop()

    def _above(self, text: str) -> None:
        with self._while_there():
            self._console.print(Text(f"npu-launch: {text}"))

    @contextmanager
    def _while_there(self) -> Iterator[None]:
        """A terminal may be closed at any time; the run is followed all the same, until the signal of that comes."""
        try:
            yield
        except OSError:
            self._gone = True


def _line(text: str, style: str = "") -> Text:
    return Text(text, style=style, no_wrap=True, overflow="ellipsis")


def _progress(view: RunView) -> RenderableType | None:
    overall = view.overall
    if overall.fraction is None:
        return None
    words = f"{overall.fraction:4.0%}"
    if overall.eta_seconds is not None and not view.state.phase.ended:
        words += f"  {duration(overall.eta_seconds)} left"
    row = Table.grid(expand=True, padding=(0, 1))
    row.add_column(ratio=1)
    row.add_column(no_wrap=True)
    row.add_row(ProgressBar(total=1.0, completed=overall.fraction), Text(words))
    return row
