"""Signs that training goes wrong, in words."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.cli.view import RunView
from launcher.logs.safe import safe_line
from launcher.runs.events import TroubleFound

_SHOWN = 2
_WIDTH = 200


def troubles(view: RunView) -> Iterator[tuple[str, str]]:
    """Label and text of what went wrong in the last attempt, the latest first."""
    attempt = view.state.attempt
    found = [trouble for trouble in view.state.troubles if attempt is not None and trouble.attempt == attempt.number]
    if found:
        hidden = len(found) - _SHOWN
        more = f"; and {hidden} before" if hidden > 0 else ""
        yield "trouble", "; ".join(map(trouble_words, found[: -_SHOWN - 1 : -1])) + more


def trouble_words(trouble: TroubleFound) -> str:
    """`rank 3 at step 120: the loss is nan`."""
    step = f" at step {trouble.step}" if trouble.step is not None else ""
    return f"rank {trouble.rank}{step}: {safe_line(trouble.words, _WIDTH)}"
