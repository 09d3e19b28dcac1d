"""One row a rank: what it does, where, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass

from launcher.cli.sweeps import accuracy, combination_words
from launcher.cli.view import RunView
from launcher.cli.wording import quantity, step_time
from launcher.logs.progress import RankProgress
from launcher.runs.endings import Ending, ending_of
from launcher.runs.state import RankPhase

_HEADINGS = ("rank", "state", "where", "step", "loss", "step time")
_OF_A_SWEEP = ("accuracy", "combination")
_LEFT = ("state", "where", "combination")  # the columns of words


@dataclass(frozen=True)
class Row:
    """A rank's line; `phase` decides on its colour."""

    rank: int
    phase: RankPhase
    cells: tuple[str, ...]


def rank_rows(view: RunView, limit: int) -> tuple[list[Row], int]:
    """Rows for at most `limit` ranks, in rank order, and how many are hidden.

    When there is no room for all, the ones to look at are kept: those not running, then the slowest.
    """
    ranks = sorted(view.state.ranks)
    if len(ranks) > limit:
        ranks = sorted(sorted(ranks, key=lambda rank: _urgency(view, rank))[: max(limit, 0)])
    return [_row(view, rank) for rank in ranks], len(view.state.ranks) - len(ranks)


def table(view: RunView, rows: list[Row]) -> list[str]:
    """Headings and rows in columns, two spaces apart."""
    headings = (*_HEADINGS, *(_OF_A_SWEEP if view.combinations else ()))
    cells = [headings, *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(headings))]
    return [
        "  ".join(
            cell.ljust(width) if heading in _LEFT else cell.rjust(width)
            for heading, cell, width in zip(headings, line, widths, strict=True)
        ).rstrip()
        for line in cells
    ]


_URGENCY = {
    RankPhase.FAILED: 0,
    RankPhase.LOST: 1,
    RankPhase.STOPPED: 2,
    RankPhase.WAITING: 3,
    RankPhase.SUCCEEDED: 4,
    RankPhase.RUNNING: 5,
}


def _urgency(view: RunView, rank: int) -> tuple[bool, int, int, int]:
    attempt = view.state.attempt
    first = attempt is not None and attempt.first_failure == rank
    steps = view.progress.get(rank, RankProgress()).steps_done
    return not first, _URGENCY[view.state.ranks[rank].phase], -1 if steps is None else steps, rank


def _row(view: RunView, rank: int) -> Row:
    known = view.state.ranks[rank]
    progress = view.progress.get(rank, RankProgress())
    state = known.phase.value
    if known.phase is RankPhase.FAILED and known.exit is not None and known.exit.error is None:
        code = known.exit.code
        state = f"failed ({code})" if code >= 0 else f"{known.exit}".removeprefix("killed by ")
    if ending_of(view.state, rank) is Ending.CASCADE:
        state += " after it"
    done, total = progress.steps_done, progress.total_steps
    step = "" if done is None else f"{done}/{total}" if total else str(done)
    loss = "" if progress.last_loss is None else quantity(progress.last_loss)
    pace = "" if progress.step_seconds is None else step_time(progress.step_seconds)
    where = view.places.get(rank) or known.host or ""
    cells = (str(rank), state, where, step, loss, pace)
    return Row(rank, known.phase, (*cells, *_of_the_sweep(view, rank)) if view.combinations else cells)


def _of_the_sweep(view: RunView, rank: int) -> tuple[str, ...]:
    reached = accuracy(view.progress.get(rank, RankProgress()))
    return "" if reached is None else quantity(reached), combination_words(view, rank)
