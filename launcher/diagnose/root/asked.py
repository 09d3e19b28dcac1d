"""The root as the rank that the others waited for. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final

from launcher.diagnose.finding import Confidence, Evidence, Finding
from launcher.diagnose.root.case import Case, Pick
from launcher.diagnose.root.cause import Considered, Order
from launcher.diagnose.root.dying import host_kill
from launcher.diagnose.root.facts import Limit, Plight, Stage, Suspect, Wait
from launcher.diagnose.root.waits import Edge, End

_MOST_SHOWN: Final = 3
_QUIET: Final = 30.0  # seconds before the others' waiting ended, after which a living rank would have said something
_DEFAULT_LIMIT: Final = {Stage.ROOT: 120.0, Stage.LINK: 120.0, Stage.NOTIFY: 1836.0, Stage.COPY: 0.0}
_VARIABLES: Final = {
    Stage.ROOT: "HCCL_CONNECT_TIMEOUT",
    Stage.LINK: "HCCL_CONNECT_TIMEOUT",
    Stage.NOTIFY: "HCCL_EXEC_TIMEOUT",
}
_CAUSES: Final = {
    Plight.LOST: "peer_rank_exited",
    Plight.STUCK: "peer_rank_stuck",
    Plight.CQE: "roce_link_error",
    Stage.ROOT: "hccl_init_timeout",
    Stage.LINK: "hccl_connect_timeout",
    Stage.NOTIFY: "hccl_notify_wait_timeout",
    Stage.COPY: "sdma_copy_error",
}
_TELLING: Final = (Plight.LOST, Plight.STUCK, Plight.CQE, Stage.ROOT, Stage.NOTIFY, Stage.LINK, Stage.COPY)


def asked_for(case: Case) -> Pick | None:
    """Where the waiting ends: a rank whom others waited for while it waited for nobody, or a circle."""
    if not case.ends:
        return None
    end, *others = case.ends
    dropped = tuple(
        Considered(
            rank, _CAUSES[_kind(other.edges)], f"{len(other.edges)} lines name it, fewer than rank {end.ranks[0]}"
        )
        for other in others
        for rank in other.ranks[:1]
    )
    if len(end.ranks) > 1:
        return _circle(end, dropped)
    return blamed(case, end.ranks[0], end.edges)._replace(dropped=dropped)


def blamed(case: Case, rank: int, edges: Sequence[Edge]) -> Pick:
    """A rank as the root because of what these say of it; the cause also depends on what became of it."""
    kind = _kind(edges)
    cause, fate = _fate(case, rank, kind, edges)
    is_gone = cause == "peer_rank_exited" or rank not in case.world.logged
    killed = host_kill(case, case.world.spot(rank).host) if is_gone else None
    if killed is not None:
        cause, fate = "host_oom", "the kernel of its host killed a process for want of memory"
    askers = {edge.waiter for edge in edges}
    evidence = (*(killed.evidence if killed else ()), *_shown(edges, kind))
    sure = len(askers) > 1 or kind in (Plight.LOST, Plight.STUCK) or case.world.size == 2
    return Pick(
        cause,
        Confidence.HIGH if sure and fate and not killed else Confidence.MEDIUM,
        f"{_people(askers)} waited for it{'; ' if fate else ''}{fate}",
        rank,
        rank,
        evidence,
        killed or _finding(case, cause, edges),
    )


def _circle(end: End, dropped: tuple[Considered, ...]) -> Pick:
    kind = _kind(end.edges)
    named = Counter(edge.peer for edge in end.edges)
    first = min(end.ranks, key=lambda rank: (-named[rank], rank))
    return Pick(
        _CAUSES[kind],
        Confidence.LOW,
        f"ranks {', '.join(map(str, end.ranks))} waited for each other",
        first,
        first,
        _shown(end.edges, kind),
        order=Order.CANNOT_ORDER,
        also=tuple(rank for rank in end.ranks if rank != first),
        dropped=dropped,
    )


def _kind(edges: Sequence[Edge]) -> Plight | Stage:
    """The most telling that is said of a rank."""
    said = {fact.plight if isinstance(fact, Suspect) else fact.stage for edge in edges if (fact := _fact(edge))}
    return next(each for each in _TELLING if each in said)


def _fact(edge: Edge) -> Wait | Suspect | None:
    return edge.fact if isinstance(edge.fact, (Wait, Suspect)) else None


def _fate(case: Case, rank: int, kind: Plight | Stage, edges: Sequence[Edge]) -> tuple[str, str]:
    """The cause, and what became of the rank as far as its logs tell."""
    cause = _CAUSES[kind]
    if rank not in case.world.logged:
        return cause, "there is no log of it"
    story = case.stories[rank]
    if story.ended is None or not isinstance(kind, Stage):
        return cause, "" if isinstance(kind, Stage) else f"its peers found it {kind.value}"
    given_up = [
        case.clocks.when(fact.seen.time, fact.seen.file.host)
        for edge in edges
        if (fact := _fact(edge)) and fact.seen.time is not None
    ]
    if not given_up:
        return cause, ""
    last_word = case.clocks.when(story.ended, story.host)
    first = min(given_up, key=lambda when: when.time)
    silent = first.time - last_word.time
    if last_word.off + first.off == float("inf") and last_word.host != first.host:
        return cause, ""
    if kind is Stage.NOTIFY and silent > max(_QUIET, 0.5 * _limit(case, kind)):
        return "peer_rank_exited", f"its logs end {silent:.0f} s before the others gave up, without an error"
    if kind is Stage.NOTIFY and silent < _QUIET and not story.findings:
        return "hccl_exec_timeout_slow_rank", "it was at work all the while"
    if kind in (Stage.LINK, Stage.ROOT) and story.begun is not None:
        begun = case.clocks.when(story.begun, story.host)
        late = begun.time - (first.time - _limit(case, kind))
        if late > _limit(case, kind) / 2:
            return cause, f"it began {late:.0f} s after the others"
    return cause, ""


def _limit(case: Case, stage: Stage) -> float:
    """How long ranks wait at a stage, in seconds: what they say themselves, else what the job set, else the default."""
    said = [fact.limit for fact in case.facts.of(Wait) if fact.stage is stage and fact.limit is not None]
    if said:
        return max(said)
    echoed = [fact.seconds for fact in case.facts.of(Limit) if fact.variable == _VARIABLES.get(stage)]
    return max(echoed, default=_DEFAULT_LIMIT[stage])


def _finding(case: Case, cause: str, edges: Sequence[Edge]) -> Finding | None:
    """What a rule found where the rank was asked for."""
    places = {(fact.seen.evidence.file, fact.seen.evidence.line) for edge in edges if (fact := _fact(edge))}
    those = [each for each in case.told if each.cause == cause]
    return next((each for each in those if (each.file.name, each.line) in places), those[0] if those else None)


def _shown(edges: Sequence[Edge], kind: Plight | Stage) -> tuple[Evidence, ...]:
    """One line of each of the first ranks that asked, those that tell most first."""
    shown: dict[int | None, Evidence] = {}
    for edge in sorted(edges, key=lambda edge: _kind([edge]) is not kind):
        if fact := _fact(edge):
            shown.setdefault(edge.waiter, fact.seen.evidence)
    return tuple(dict.fromkeys(shown.values()))[:_MOST_SHOWN]


def _people(ranks: set[int | None]) -> str:
    known = sorted(rank for rank in ranks if rank is not None)
    if not known:
        return "others"
    if len(known) > _MOST_SHOWN:
        return f"{len(known)} ranks"
    return f"rank{'s' if len(known) > 1 else ''} {', '.join(map(str, known))}"
