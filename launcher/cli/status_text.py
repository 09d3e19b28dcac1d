"""A run for `npu-launch status`: the summary, where its time went, its attempts, its ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from launcher.cli.ledger_text import ledger_lines
from launcher.cli.rows import rank_rows, table
from launcher.cli.summary import summary
from launcher.cli.view import RunView
from launcher.cli.wording import count, origin, rank_list
from launcher.logs.safe import safe_line
from launcher.runs.state import AttemptState

_RANKS_SHOWN = 16


def status_lines(view: RunView, words: Sequence[str] = ()) -> list[str]:
    """The whole text; of many ranks those worth a look."""
    lines = [*summary(view, words), ""]
    if spent := ledger_lines(view.ledger):
        lines += [*spent, ""]
    if len(view.state.attempts) > 1:
        lines += [*_attempts(view), ""]
    lines += rank_lines(view)
    lines += [f"{note.level}: {safe_line(note.text)}" for note in view.state.notes]
    return lines


def rank_lines(view: RunView) -> list[str]:
    """The ranks as a table; of many those worth a look."""
    rows, hidden = rank_rows(view, _RANKS_SHOWN)
    lines = table(view, rows) if rows else ["no ranks yet"]
    if hidden:
        lines.append(f"and {count(hidden, 'rank')} more, further on than these (--json has all)")
    return lines


def _attempts(view: RunView) -> Iterator[str]:
    """Why each attempt was started, and why it ended."""
    for attempt in view.state.attempts:
        label = f"attempt {attempt.number}"
        start, end = "; ".join(_start(view, attempt)), _end(attempt)
        told = [*([start] if start else []), *([f"ended: {end}"] if end else [])]
        yield f"{label}  {told[0] if told else ''}".rstrip()
        yield from (f"{' ' * len(label)}  {text}" for text in told[1:])


def _start(view: RunView, attempt: AttemptState) -> Iterator[str]:
    if len(attempt.ranks) < view.state.world_size:
        yield f"{count(len(attempt.ranks), 'rank')} ({rank_list(attempt.ranks)})"
    if start := origin(attempt.resume_from, attempt.own_checkpoints, attempt.ranks):
        yield start
    if attempt.answer_to is not None:
        yield f"started because {safe_line(attempt.answer_to.reason, 300)}"


def _end(attempt: AttemptState) -> str | None:
    """Why an attempt did not come to its end; None while it may."""
    if attempt.first_failure is not None:
        words = f"rank {attempt.first_failure} failed first"
        if (failure := attempt.failure) is None:
            return words
        evidence = f": {safe_line(failure.evidence, 200)}" if failure.evidence else ""
        return f"{words} ({failure.cause.value} failure){evidence}"
    if attempt.hang is not None and attempt.hang.fatal:
        return safe_line(attempt.hang.words, 300)
    if attempt.lost_host is not None:
        return f"host {safe_line(attempt.lost_host)} was lost"
    return safe_line(attempt.stopping) if attempt.stopping else None
