"""From all findings and facts to the one rank that broke first, and what followed from it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from launcher.diagnose.finding import Category, Confidence, Finding
from launcher.diagnose.root.absent import never_connected, never_joined
from launcher.diagnose.root.asked import asked_for
from launcher.diagnose.root.case import Case, Pick
from launcher.diagnose.root.cause import UNKNOWN, Cascade, Considered, RootCause
from launcher.diagnose.root.collected import Facts
from launcher.diagnose.root.dying import CATEGORIES, killed
from launcher.diagnose.root.odd import odd_operation, odd_tls
from launcher.diagnose.root.own import own_fault
from launcher.diagnose.root.quiet import did_not_wait, first_of_all

_BY_ODDNESS: Final[dict[str, Callable[[Case], Pick | None]]] = {
    "tls_mismatch": odd_tls,
    "hccl_param_mismatch": odd_operation,
}
"""Causes that any rank may report, of which the root is whoever differs."""

_WAYS: Final = (killed, never_connected, odd_tls, odd_operation, never_joined, asked_for, did_not_wait, first_of_all)
"""How a root is looked for where no rank says what broke it, the surest first."""

_WITHOUT_FAILURE: Final = frozenset((Category.PRECISION, Category.PERFORMANCE))
"""What may be wrong with a run although no rank failed."""

_MOST_CONSIDERED: Final = 64


def root_cause(findings: Sequence[Finding], facts: Facts) -> RootCause | None:
    """Who failed first, and of what; None where nothing failed.

    A rank that says itself what broke it is the root, the first of them where there are several, and what the others
    waited in vain follows from it. Where none does, the root is the rank that did not come to where the others waited.
    """
    if _ended_well(facts):
        findings = [finding for finding in findings if finding.category in _WITHOUT_FAILURE]
    case = Case.of(findings, facts)
    if not _has_failed(case):
        return None
    pick = own_fault(case)
    if pick is not None and pick.cause in _BY_ODDNESS:
        odd = _BY_ODDNESS[pick.cause](case)
        pick = pick if odd is None else odd._replace(finding=odd.finding or pick.finding, dropped=pick.dropped)
    for way in _WAYS:
        pick = pick or way(case)
    return _told(case, pick or _unknown(case))


def _ended_well(facts: Facts) -> bool:
    """Whether a record says of all ranks that they ended without an error; their logs may still hold some."""
    ended = {death.rank for death in facts.deaths if death.code == 0}
    seen = {death.rank for death in facts.deaths}
    return len(ended) == len(seen) == facts.world_size


def _has_failed(case: Case) -> bool:
    return bool(case.told) or any(
        story.death is not None and story.death.code != 0 and not story.death.stopped for story in case.stories.values()
    )


def _unknown(case: Case) -> Pick:
    """A rank that failed without a line that any rule knows."""
    dead = [death for death in case.facts.deaths if death.code != 0 and not death.stopped]
    rank = dead[0].rank if dead else None
    words = f"it ended first, with code {dead[0].code}" if dead else "something failed"
    return Pick(UNKNOWN, Confidence.LOW, f"{words}, and no rule knows why", rank, rank)


def _told(case: Case, pick: Pick) -> RootCause:
    story = case.stories.get(pick.teller) if pick.teller is not None else None
    spot = case.world.spot(pick.rank) if pick.rank is not None else None
    host = (story.host if story else None) or (spot.host if spot else None)
    device = story.device if story and story.device is not None else spot.device if spot else None
    former = (
        Considered(each.rank, each.cause, "was before the rank last began", each.evidence[0], each.host)
        for each in case.former
    )
    return RootCause(
        pick.cause,
        _category(case, pick),
        pick.confidence,
        pick.rank,
        host,
        device,
        pick.evidence,
        _cascade(case, pick),
        (*pick.dropped, *former)[:_MOST_CONSIDERED],
        pick.order,
        pick.also,
        pick.why,
        pick.finding,
    )


def _category(case: Case, pick: Pick) -> Category | None:
    if pick.cause == UNKNOWN:
        return None
    if pick.finding is not None and pick.finding.cause == pick.cause:
        return pick.finding.category
    known = (each.category for each in case.told if each.cause == pick.cause)
    return next(known, CATEGORIES.get(pick.cause, Category.COMMUNICATION))


def _cascade(case: Case, pick: Pick) -> tuple[Cascade, ...]:
    """The other ranks, each with what it said, or that it was stopped."""
    found = []
    for story in case.processes:
        if story.teller == pick.teller or story.rank in pick.also:
            continue
        said = story.follows or story.candidate or next(iter(story.findings), None)
        if said is not None:
            found.append(Cascade(story.rank, said.cause, story.host, story.device))
        elif story.death is not None and story.death.stopped:
            found.append(Cascade(story.rank, "stopped", story.host, story.device))
    return tuple(sorted(found, key=lambda each: (each.rank is None, each.rank or 0)))
