"""The ranks of a sweep: what each of them has, and which came to what is best."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from launcher.cli.view import RunView
from launcher.cli.wording import count, quantity
from launcher.logs.metrics import Metric
from launcher.logs.progress import RankProgress
from launcher.logs.safe import safe_line
from launcher.runs.state import RankPhase
from launcher.specs.sweep import in_words

_LONGEST = 200


def combination_words(view: RunView, rank: int) -> str:
    """`lr=0.1 seed=2`; empty for a rank of no sweep."""
    return safe_line(in_words(view.combinations.get(rank, {})), _LONGEST)


def accuracy(progress: RankProgress) -> float | None:
    """The accuracy of a rank's last evaluation, else the one that its step lines tell."""
    for seen in reversed(progress.evaluations):
        for name, value in seen.metrics.items():
            if name.lower() == Metric.ACCURACY.value:
                return value
    return progress.last.get(Metric.ACCURACY)


def best(view: RunView) -> Iterator[str]:
    """Which ranks came to the highest accuracy and to the lowest loss, of those that ended well; a line each.

    Nothing when there is no sweep, or as long as no rank has ended. Which of several seeds is the best says little of
    the other values: that is for a person to see in the table of ranks.
    """
    done = view.state.ranks_in(RankPhase.SUCCEEDED) if view.combinations else ()
    of_whom = "" if len(done) == view.state.world_size else f", of {count(len(done), 'rank')} that ended well"
    known = {rank: view.progress.get(rank, RankProgress()) for rank in done}
    accuracies = _told({rank: accuracy(progress) for rank, progress in known.items()})
    losses = _told({rank: progress.last_loss for rank, progress in known.items()})
    if accuracies:
        first = max(accuracies, key=lambda rank: (accuracies[rank], -rank))
        yield f"accuracy {quantity(accuracies[first])}: rank {first}, {combination_words(view, first)}{of_whom}"
    if losses:
        first = min(losses, key=lambda rank: (losses[rank], rank))
        yield f"last loss {quantity(losses[first])}: rank {first}, {combination_words(view, first)}{of_whom}"


def _told(values: Mapping[int, float | None]) -> dict[int, float]:
    return {rank: value for rank, value in values.items() if value is not None and math.isfinite(value)}
