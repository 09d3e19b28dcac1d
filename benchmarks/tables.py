"""Turns figures into Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

Value = float | int | str | None
Rows = Mapping[str, Mapping[str, Sequence[Value]]]  # of a figure, its values by peer, one of each repeat


def table(rows: Rows, peers: Sequence[str], compared: Sequence[tuple[str, str]]) -> str:
    """Medians (minimum to maximum) of every figure by peer, and the ratios of the medians of two peers."""
    ratios = [(ours, other) for ours, other in compared if ours in peers and other in peers]
    heads = ["", *peers, *(f"{ours} / {other}" for ours, other in ratios)]
    lines = [_line(heads), _line(["---"] * len(heads))]
    for figure, by_peer in rows.items():
        if any(isinstance(value, str) for values in by_peer.values() for value in values):
            continue
        cells = [cell(figure, by_peer.get(peer, ())) for peer in peers]
        cells += [ratio(by_peer.get(ours, ()), by_peer.get(other, ()), figure) for ours, other in ratios]
        lines.append(_line([figure, *cells]))
    return "\n".join(lines)


def words(rows: Rows) -> str:
    """The figures that are sentences, as a list."""
    return "\n".join(
        f"- {peer}, {figure}: {value}"
        for figure, by_peer in rows.items()
        for peer, values in by_peer.items()
        for value in dict.fromkeys(values)
        if isinstance(value, str)
    )


def cell(figure: str, values: Sequence[Value]) -> str:
    """The median and the span of a figure's values, in the figure's unit."""
    numbers = [value for value in values if isinstance(value, float | int)]
    if not numbers:
        return "-"
    if "exit code" in figure:
        return ", ".join(str(value) for value in sorted(set(numbers)))
    low, middle, high = (_shown(figure, value) for value in (min(numbers), median(numbers), max(numbers)))
    never = f", {len(values) - len(numbers)} of {len(values)} never" if len(numbers) < len(values) else ""
    span = f" ({low} to {high})" if len(numbers) > 1 and low != high else ""
    return f"{middle}{_unit(figure)}{span}{never}"


def ratio(ours: Sequence[Value], others: Sequence[Value], figure: str) -> str:
    """Our median divided by theirs."""
    mine = [value for value in ours if isinstance(value, float | int)]
    theirs = [value for value in others if isinstance(value, float | int)]
    if not mine or not theirs or not median(theirs) or _is_count(figure):
        return "-"
    return f"{median(mine) / median(theirs):.2f}"


def _unit(figure: str) -> str:
    if figure.startswith("idle CPU"):
        return " % of a core"
    if figure.startswith("memory"):
        return " MiB"
    return "" if _is_count(figure) else " s"


def _is_count(figure: str) -> bool:
    return figure.startswith(("log lines lost", "processes", "exit code"))


def _shown(figure: str, value: float) -> str:
    if _is_count(figure):
        return f"{value:g}" if value < 1e6 else f"{value:.0f}"
    if figure.startswith("memory"):
        return f"{value:.0f}"
    if figure.startswith("idle CPU"):
        return f"{value:.1f}"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
