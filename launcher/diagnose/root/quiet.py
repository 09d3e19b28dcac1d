"""The root where nobody names it: the few that did not wait while all others did, else whoever failed first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from launcher.diagnose.choosing import choose
from launcher.diagnose.finding import Confidence, Role
from launcher.diagnose.root.asked import blamed
from launcher.diagnose.root.case import Case, Pick
from launcher.diagnose.root.cause import Order
from launcher.diagnose.root.clocks import When
from launcher.diagnose.root.facts import Wait
from launcher.diagnose.root.stories import Story
from launcher.diagnose.root.waits import Edge

_MOST_QUIET: Final = 0.5  # of the ranks, of which so many or fewer may be the ones that the others waited for


def did_not_wait(case: Case) -> Pick | None:
    """The ranks that report no timeout while most others do: those never came to where the others waited."""
    waiting: dict[int, Wait] = {}
    for wait in case.facts.of(Wait):
        if (rank := case.world.writer(wait.seen)) is not None:
            waiting.setdefault(rank, wait)
    quiet = sorted(set(range(case.world.size)) - set(waiting))
    stages = {wait.stage for wait in waiting.values()}
    if len(stages) != 1 or not quiet or len(quiet) > case.world.size * _MOST_QUIET:
        return None
    first, *others = sorted(quiet, key=lambda rank: (rank in case.world.logged, rank))
    pick = blamed(case, first, [Edge(rank, first, wait) for rank, wait in waiting.items()])
    return pick._replace(
        confidence=Confidence.MEDIUM if pick.confidence is Confidence.HIGH else pick.confidence,
        why=pick.why.replace("waited for it", "waited in vain, and it does not say so"),
        order=Order.CANNOT_ORDER if others else Order.FIRST,
        also=tuple(others),
    )


def first_of_all(case: Case) -> Pick | None:
    """What was found first; of logs without times what says most."""
    faults = [each for each in case.told if each.role is not Role.NOISE]
    chosen = choose(faults)
    if chosen is None:
        return None
    alike = [(story, each) for story in case.stories.values() for each in story.findings if each.cause == chosen.cause]
    timed = [(when, story, each) for story, each in alike if (when := case.when(story, each)) is not None]
    also: tuple[int, ...] = ()
    order = Order.FIRST
    why = "nothing says more"
    teller = next(story.teller for story, each in alike if each is chosen)
    if len({story.teller for story, _ in alike}) > 1 and timed:
        when, story, chosen = min(timed, key=lambda each: each[0].time)
        teller = story.teller
        also = _rivals(when, story, timed)
        order = Order.CANNOT_ORDER if also else Order.FIRST
        why = "it was the first to say so"
    several = len(case.processes) > 1 and chosen.role is not Role.ROOT_CANDIDATE
    lower = several and chosen.confidence is Confidence.HIGH
    confidence = Confidence.MEDIUM if lower else chosen.confidence
    return Pick(chosen.cause, confidence, why, chosen.rank, teller, chosen.evidence, chosen, order, also)


def _rivals(first: When, story: Story, timed: Sequence[tuple[When, Story, object]]) -> tuple[int, ...]:
    """The ranks that may have said it before."""
    those = (each for when, each, _ in timed if each.teller != story.teller and not first.before(when))
    return tuple(sorted({each.rank for each in those if each.rank is not None}))
