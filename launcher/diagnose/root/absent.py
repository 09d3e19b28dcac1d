"""The root as ranks that never came: they did not reach the root, or did not join a communicator. Pure."""

from __future__ import annotations

from collections import defaultdict

from launcher.diagnose.finding import Confidence, Evidence, Finding
from launcher.diagnose.root.case import Case, Pick
from launcher.diagnose.root.facts import Connected, Member, Seen, Stage, Wait

_CAUSE = "hccl_init_timeout"


def never_connected(case: Case) -> Pick | None:
    """The ranks that the root's own list of who connected does not have."""
    lists: defaultdict[str, list[Connected]] = defaultdict(list)
    for fact in case.facts.of(Connected):
        lists[fact.seen.file.name].append(fact)
    for told in lists.values():
        listed = {rank for fact in told for rank in fact.ranks}
        wanted = max((fact.wanted or 0 for fact in told), default=0) or case.world.size
        if missing := sorted(set(range(wanted)) - listed) if listed else []:
            seen = next(fact.seen for fact in told if fact.ranks)
            numbers = _in_job(case, missing, wanted)
            return _pick(case, numbers, seen, f"of {wanted} ranks {len(listed)} reached the root")
    return None


def never_joined(case: Case) -> Pick | None:
    """The ranks that did not begin to join a communicator whose other ranks waited in it for nobody they could name."""
    entered: defaultdict[str, dict[int, Member]] = defaultdict(dict)
    for fact in case.facts.of(Member):
        entered[fact.group][fact.rank] = fact
    waits = case.facts.of(Wait)
    if any(wait.peer is not None and wait.stage is not Stage.ROOT for wait in waits):
        return None
    stuck = [case.world.writer(wait.seen) for wait in waits]
    for members in sorted(entered.values(), key=len):
        size = max(member.size for member in members.values())
        writers = {case.world.writer(member.seen) for member in members.values()}
        missing = sorted(set(range(size)) - set(members))
        joined = any(member.ready for member in members.values())
        if missing and not joined and len(members) > 1 and not writers.isdisjoint(stuck):
            numbers = _in_job(case, missing, size)
            seen = next(iter(members.values())).seen
            return _pick(case, numbers, seen, f"of {size} ranks {len(members)} began to join the communicator")
    return None


def _in_job(case: Case, missing: list[int], size: int) -> list[int]:
    """The job's ranks of numbers in a communicator of so many."""
    if size == case.world.size:
        return missing
    groups = [group for group in case.world.groups.values() if group.size == size]
    known = {rank for number in missing for group in groups if (rank := group.rank(number)) is not None}
    return sorted(known) if len(groups) == 1 and known else missing


def _pick(case: Case, missing: list[int], seen: Seen, why: str) -> Pick:
    """The missing rank that says something itself, else the first of them."""
    spoken = [rank for rank in missing if rank in case.stories and case.stories[rank].findings]
    first, *others = (*spoken, *(rank for rank in missing if rank not in spoken))
    evidence: tuple[Evidence, ...] = (seen.evidence,)
    finding: Finding | None = next((each for each in case.told if each.cause == _CAUSE), None)
    words = f"{why}; rank{'s' if others else ''} {', '.join(map(str, missing[:8]))} never did"
    return Pick(_CAUSE, Confidence.HIGH, words, first, first, evidence, finding, also=tuple(others))
