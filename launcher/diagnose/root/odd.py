"""The root as the few ranks that differ from the others: by their TLS switch, or by what they called. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from typing import TypeVar

from launcher.diagnose.finding import Confidence
from launcher.diagnose.root.case import Case, Pick
from launcher.diagnose.root.cause import Order
from launcher.diagnose.root.facts import Operation, Seen, Tls

_V = TypeVar("_V", bound=Hashable)


def odd_tls(case: Case) -> Pick | None:
    """The ranks whose TLS switch is not that of most others."""
    switches: dict[int, tuple[bool, Seen]] = {}
    for fact in case.facts.of(Tls):
        ranks = [case.world.writer(fact.seen)] if fact.nodes is None else map(case.world.of_node, fact.nodes)
        for rank in ranks:
            if rank is not None:
                switches.setdefault(rank, (fact.enabled, fact.seen))
    return _odd(case, "tls_mismatch", switches, "has TLS switched otherwise than")


def odd_operation(case: Case) -> Pick | None:
    """The ranks that were in another collective than most others of their communicator when it failed."""
    for those in _operations(case).values():
        for said, words in (
            (
                {rank: (_what(fact.tag), fact.seen) for rank, fact in those.items() if fact.tag},
                "called another operator than",
            ),
            (
                {rank: (fact.sequence, fact.seen) for rank, fact in those.items() if fact.sequence is not None},
                "was at another collective than",
            ),
            (
                {
                    rank: ((fact.amount, fact.dtype), fact.seen)
                    for rank, fact in those.items()
                    if fact.amount is not None
                },
                "called the collective with another size or type than",
            ),
        ):
            if pick := _odd(case, "hccl_param_mismatch", said, words):
                return pick
    return None


def _odd(case: Case, cause: str, said: Mapping[int, tuple[_V, Seen]], words: str) -> Pick | None:
    """The ranks of the rarest value; None where all are the same, or hardly any has said one."""
    counted = Counter(value for value, _ in said.values())
    if len(counted) < 2:
        return None
    (_, most), *_rest, (rare, least) = counted.most_common()
    few = sorted(rank for rank, (value, _) in said.items() if value == rare)
    first, *others = few
    is_tied = most == least
    finding = next((each for each in case.told if each.cause == cause), None)
    evidence = (said[first][1].evidence, *(() if finding is None else finding.evidence[:1]))
    majority = next(seen for value, seen in said.values() if value != rare)
    return Pick(
        cause,
        Confidence.LOW if is_tied else Confidence.HIGH,
        f"it {words} {most} other rank{'s' if most > 1 else ''}",
        first,
        first,
        tuple(dict.fromkeys((*evidence, majority.evidence))),
        finding,
        Order.CANNOT_ORDER if is_tied else Order.FIRST,
        tuple(others),
    )


def _operations(case: Case) -> Mapping[str | None, Mapping[int, Operation]]:
    """The last failed collective of each rank, by communicator; what several lines say of one is put together."""
    open_ones: dict[int, Operation] = {}
    by_group: defaultdict[str | None, dict[int, Operation]] = defaultdict(dict)
    for fact in case.facts.of(Operation):
        rank = case.world.writer(fact.seen)
        if rank is None:
            continue
        before = open_ones.get(rank)
        open_ones[rank] = whole = _joined(before, fact) if before is not None else fact
        for group in [group for group in (None, whole.group) if group in by_group or group == whole.group]:
            by_group[group].pop(rank, None)
        by_group[whole.group][rank] = whole
    return by_group


def _joined(before: Operation, fact: Operation) -> Operation:
    """One operation of two lines, unless they contradict: then the later one is another's."""
    old, new = before._asdict(), fact._asdict()
    new.pop("seen")
    if any(None not in (old[name], value) and old[name] != value for name, value in new.items()):
        return fact
    return before._replace(**{name: value for name, value in new.items() if old[name] is None})


def _what(tag: str | None) -> str:
    """The operator that a tag begins with: `AllReduce_127.10.0.1%eth0_60000_0_17612` is an AllReduce."""
    return (tag or "").partition("_")[0]
