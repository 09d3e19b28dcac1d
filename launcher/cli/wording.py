"""Numbers, times and lists of ranks as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from launcher.errors import UsageError
from launcher.logs.safe import safe_line
from launcher.runs.ranks import rank_list as rank_list
from launcher.runs.ranks import ranks_phrase as ranks_phrase

_PATTERN_PARTS = 6


def duration(seconds: float) -> str:
    """`0.8s`, `42s`, `4m12s`, `3h05m`, `2d04h`."""
    if seconds < 10:
        return f"{max(seconds, 0):.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02}h"


def step_time(seconds: float) -> str:
    """`35.2 ms`, `0.213 s`, `12.3 s`."""
    if seconds < 0.1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3f} s" if seconds < 10 else f"{seconds:.1f} s"


def quantity(value: float) -> str:
    """A loss or a metric with four digits behind the point, or in powers of ten where these say nothing."""
    if not math.isfinite(value) or value == 0:
        return str(value)
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e5 else f"{value:.3e}"


def count(number: int, noun: str) -> str:
    """`1 rank`, `8 ranks`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def origin(resume_from: str | None, own_checkpoints: Sequence[str], ranks: Sequence[int]) -> str:
    """What ranks start from: `from /run/checkpoints/step_40.ckpt`, `from their own checkpoints`; empty for nothing."""
    if resume_from is None and len(ranks) == len(own_checkpoints) == 1:
        resume_from = own_checkpoints[0]
    if resume_from is not None:
        return f"from {safe_line(resume_from)}"
    if not own_checkpoints:
        return ""
    words = "from their own checkpoints"
    return words if len(own_checkpoints) == len(ranks) else f"({len(own_checkpoints)} of them {words})"


def ranks_pattern(ranks: Iterable[int]) -> str:
    """`3`, `{0..7}`, `{0,{2..3}}` with braces as a shell takes them, `*` where these would be long."""
    parts = [part.replace("-", "..") for part in rank_list(ranks).split(",")]
    if not parts[0] or len(parts) > _PATTERN_PARTS:
        return "*"
    if len(parts) == 1:
        return f"{{{parts[0]}}}" if ".." in parts[0] else parts[0]
    return f"{{{','.join(f'{{{part}}}' if '..' in part else part for part in parts)}}}"


def cut(text: str, cells: int) -> str:
    """A text cut to so many cells of a terminal, in which a Chinese character takes two."""
    if text.isascii():
        return text if len(text) <= cells else text[: max(cells - 1, 0)] + "…"
    from rich.cells import cell_len

    if cell_len(text) <= cells:
        return text
    while text and cell_len(text) > cells - 1:
        text = text[:-1]
    return text + "…"


def parse_ranks(text: str, world_size: int) -> tuple[int, ...]:
    """The ranks that `0,8-15` names, in order, each once.

    Raises UsageError when a part is no rank or range, or a rank is not in the run.
    """
    chosen: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or len(part) > 20:
            raise UsageError(f"'{part}' is no rank", where="ranks", expected="ranks and ranges such as 0,8-15")
        low, high = int(first), int(last) if dash else int(first)
        if low > high:
            raise UsageError(f"'{part}' begins behind its end", where="ranks", expected=f"{high}-{low}")
        if high >= world_size:
            raise UsageError(f"there is no rank {high}", where="ranks", expected=f"ranks from 0 to {world_size - 1}")
        chosen.update(range(low, high + 1))
    return tuple(sorted(chosen))
