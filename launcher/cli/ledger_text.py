"""Where a run's time went, as a small table."""

from __future__ import annotations

from collections.abc import Callable

from launcher.cli.wording import duration
from launcher.runs.ledger import Kind, Ledger

_SHOWN_FROM = 0.05  # seconds; less is 0.0s, and a column of nothing else is left out


def ledger_lines(ledger: Ledger) -> list[str]:
    """A row an attempt, a column for every kind of time that was spent, and the share of it that was new training."""
    if not ledger.attempts:
        return []
    kinds = [kind for kind in Kind if any(a.seconds(kind) >= _SHOWN_FROM for a in ledger.attempts)]
    rows = [["attempt", *(kind.value for kind in kinds), "all"]]
    rows += [_row(str(a.number), a.seconds, kinds, a.wall) for a in ledger.attempts]
    if len(ledger.attempts) > 1:
        rows.append(_row("all", ledger.seconds, kinds, ledger.wall))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return [*lines, *_notes(ledger)]


def _row(name: str, seconds: Callable[[Kind], float], kinds: list[Kind], wall: float) -> list[str]:
    spent = [duration(seconds(kind)) if seconds(kind) >= _SHOWN_FROM else "" for kind in kinds]
    return [name, *spent, duration(wall)]


def _notes(ledger: Ledger) -> list[str]:
    notes = []
    if (ratio := ledger.effective_ratio) is not None:
        trained = duration(ledger.seconds(Kind.TRAINING))
        notes.append(f"effective {_percent(ratio)}: {trained} of new training in {duration(ledger.wall)}")
    elif ledger.seconds(Kind.TRAINING) >= _SHOWN_FROM:
        notes.append("effective unknown: no step lines in the logs, so what precedes the first step counts as training")
    if ledger.idle >= _SHOWN_FROM:
        notes.append(f"not counted: {duration(ledger.idle)} between an end and a rerun")
    return notes


def _percent(ratio: float) -> str:
    """Never 100 % when something was lost."""
    return f"{int(ratio * 1000) / 10:g}%"
