"""The root as a rank that broke by itself: its own log says why. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from launcher.diagnose.finding import Confidence, Finding
from launcher.diagnose.root.case import Case, Pick
from launcher.diagnose.root.cause import Considered, Order
from launcher.diagnose.root.clocks import When
from launcher.diagnose.root.stories import Story

_TOGETHER: Final = 2.0  # seconds, within which a rank's lines are about one thing
_SAYS_LITTLE: Final = 45  # weight, below which a finding only tells that something failed
_FROM_A_PEER: Final = frozenset(("sdma_copy_error", "roce_link_error"))
"""What befalls a rank as well when the memory or the process of its peer is gone."""


class _Candidate(NamedTuple):
    story: Story
    finding: Finding
    when: When | None


def own_fault(case: Case) -> Pick | None:
    """The rank that said first what broke it, where any did; timeouts of the others are its consequences."""
    found = [
        _Candidate(story, finding, case.when(story, finding))
        for story in case.processes
        if (finding := story.candidate) is not None
    ]
    if not found:
        return None
    left: list[_Candidate] = []
    dropped: list[Considered] = []
    others = _Others.of(found)
    for candidate in found:
        why = _why_not(candidate, others, case)
        if why is None:
            left.append(candidate)
        else:
            dropped.append(_considered(candidate, why))
    if not left:
        return None
    first, rivals = _first(left, case)
    tied = {rival.story.teller for rival in rivals}
    later = (each for each in left if each is not first and each.story.teller not in tied)
    dropped += [_considered(each, "came later") for each in later]
    dropped += [_considered(rival, "cannot be ordered against it") for rival in rivals]
    finding = first.finding
    differ = any(rival.finding.cause != finding.cause for rival in rivals)
    return Pick(
        finding.cause,
        Confidence.MEDIUM if differ and finding.confidence is Confidence.HIGH else finding.confidence,
        _why(len(found), bool(rivals)),
        finding.rank,
        first.story.teller,
        finding.evidence,
        finding,
        Order.CANNOT_ORDER if rivals else Order.FIRST,
        tuple(sorted(rival.finding.rank for rival in rivals if rival.finding.rank is not None)),
        tuple(dropped),
    )


class _Others(NamedTuple):
    """What is known of all candidates together, when one of them is looked at."""

    several: bool
    any_is_loud: bool
    any_ended_by_itself: bool
    said_by_ranks: frozenset[tuple[str, str | None]]  # causes with hosts
    broken: frozenset[int | None]  # ranks of which something else is said than what befalls them from a peer

    @classmethod
    def of(cls, found: Sequence[_Candidate]) -> _Others:
        return cls(
            len(found) > 1,
            any(each.finding.weight >= _SAYS_LITTLE for each in found),
            any(each.story.death and each.story.death.code and not each.story.death.stopped for each in found),
            frozenset((each.finding.cause, each.story.host) for each in found if each.story.rank is not None),
            frozenset(each.story.rank for each in found if each.finding.cause not in _FROM_A_PEER),
        )


def _why_not(candidate: _Candidate, others: _Others, case: Case) -> str | None:
    """Why what a rank says of itself follows from something elsewhere; None where it may be the root."""
    story, finding = candidate.story, candidate.finding
    if story.rank is None and any(
        cause == finding.cause and (story.host is None or host in (None, story.host))
        for cause, host in others.said_by_ranks
    ):
        return "says the same as a rank's own log"
    if finding.weight < _SAYS_LITTLE and others.any_is_loud:
        return "says only that something failed"
    if story.death is not None and story.death.stopped and others.any_ended_by_itself:
        return "had been told to stop before"
    follows = story.follows
    is_elsewhere = others.several or any(end.ranks != (story.rank,) for end in case.ends)
    if follows is not None and is_elsewhere and (late := _after(follows, finding)) > _TOGETHER:
        return f"had failed with {follows.cause} {late:.0f} s before"
    if story.rank is not None and finding.cause in _FROM_A_PEER:
        peers = case.peers.get(story.rank, frozenset())
        if gone := sorted(peers & others.broken) or sorted(peers - case.world.logged):
            return f"names rank {gone[0]} as its peer"
    return None


def _after(before: Finding, finding: Finding) -> float:
    """By how many seconds a finding came after another of the same rank; 0 where that is not known."""
    return 0.0 if before.time is None or finding.time is None else finding.time - before.time


def _first(left: Sequence[_Candidate], case: Case) -> tuple[_Candidate, list[_Candidate]]:
    """The candidate that was first, and those that may have been before it."""
    timed = [candidate for candidate in left if candidate.when is not None]
    earliest = min(timed, key=lambda each: each.when.time if each.when else 0.0, default=left[0])
    rivals = [
        each
        for each in left
        if each is not earliest
        and (each.when is None or earliest.when is None or not earliest.when.before(each.when))
        and each.story.teller != earliest.story.teller
    ]
    if not rivals:
        return earliest, []
    together = [earliest, *rivals]
    if case.facts.deaths:
        seen = {death.rank: place for place, death in enumerate(case.facts.deaths) if not death.stopped}
        died = [each for each in together if each.story.rank in seen]
        if died:
            first = min(died, key=lambda each: seen[each.story.rank or 0])
            return first, [each for each in together if each is not first and each.finding.cause != first.finding.cause]
    blamed = {rank for end in case.ends[:1] for rank in end.ranks}
    differ = len({each.finding.cause for each in together}) > 1
    first = max(
        together,
        key=lambda each: (
            each.story.rank in blamed,
            each.finding.weight if differ else 0,
            -(each.when.time if each.when else float("inf")),
        ),
    )
    if first.story.rank in blamed:
        return first, []
    return first, [each for each in together if each is not first]


def _considered(candidate: _Candidate, why: str) -> Considered:
    finding = candidate.finding
    return Considered(finding.rank, finding.cause, why, finding.evidence[0], finding.host)


def _why(found: int, rivals: bool) -> str:
    if rivals:
        return "several ranks say what broke them, and their clocks do not tell which was first"
    return "it says itself what broke it" + (", before any other" if found > 1 else "")
