"""A run for `npu-launch status`: the summary, its attempts, its ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from launcher.cli.rows import rank_rows, table
from launcher.cli.summary import summary
from launcher.cli.view import RunView
from launcher.cli.wording import count, duration, rank_list
from launcher.logs.safe import safe_line
from launcher.runs.state import AttemptState

_RANKS_SHOWN = 16


def status_lines(view: RunView, words: Sequence[str] = ()) -> list[str]:
    """The whole text; of many ranks those worth a look."""
    lines = [*summary(view, words), ""]
    if len(view.state.attempts) > 1:
        lines += [*_attempts(view), ""]
    rows, hidden = rank_rows(view, _RANKS_SHOWN)
    lines += table(rows) if rows else ["no ranks yet"]
    if hidden:
        lines.append(f"and {count(hidden, 'rank')} more, further on than these (--json has all)")
    lines += [f"{note.level}: {safe_line(note.text)}" for note in view.state.notes]
    return lines


def _attempts(view: RunView) -> Iterator[str]:
    for attempt in view.state.attempts:
        yield f"attempt {attempt.number}  {', '.join(_attempt(view, attempt))}"


def _attempt(view: RunView, attempt: AttemptState) -> Iterator[str]:
    end = view.end_of(attempt)
    partly = f" of {count(len(attempt.ranks), 'rank')} ({rank_list(attempt.ranks)})"
    lasted = "lost" if end is None else duration(end - attempt.started)
    yield lasted + (partly if len(attempt.ranks) < view.state.world_size else "")
    if attempt.resume_from:
        yield f"from {safe_line(attempt.resume_from)}"
    if attempt.first_failure is not None:
        yield f"rank {attempt.first_failure} failed first"
    elif attempt.stopping:
        yield safe_line(attempt.stopping)
