"""Who waited for whom, walked to its end. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from launcher.diagnose.root.facts import Fact, Node, Stage, Suspect, Wait
from launcher.diagnose.root.world import World


class Edge(NamedTuple):
    """Rank `waiter` says that it waited for rank `peer`, or what became of it; None for a waiter that is not known."""

    waiter: int | None
    peer: int
    fact: Fact


class End(NamedTuple):
    """Where waiting ends: at one rank that waits for nobody, or with several that wait for each other in a circle.

    `reached_by` are all that waited for one of them, directly or not, `edges` what those said that asked directly.
    """

    ranks: tuple[int, ...]
    reached_by: frozenset[int]
    edges: tuple[Edge, ...]


def edges(facts: Iterable[Fact], world: World) -> list[Edge]:
    """Everything that one rank says of another, in the order of the facts."""
    found = []
    told = list(facts)
    accusers = _accusers(told, world)
    for fact in told:
        writer = world.writer(fact.seen)
        if isinstance(fact, Wait):
            peer = world.of_number(fact.peer, fact.group, fact.own, writer)
            if fact.stage is Stage.ROOT and fact.peer is not None and peer == writer:
                continue
        elif isinstance(fact, Suspect):
            peer = fact.rank if fact.rank is not None else _accused(fact.node, accusers, world)
            by = world.of_node(fact.by)
            writer = by if by is not None else writer
        else:
            continue
        if peer is not None and peer != writer:
            found.append(Edge(writer, peer, fact))
    return found


def _accusers(facts: Iterable[Fact], world: World) -> Mapping[Node, Set[int]]:
    """For each place that somebody names, the ranks that do."""
    found: defaultdict[Node, set[int]] = defaultdict(set)
    for fact in facts:
        writer = world.writer(fact.seen)
        if isinstance(fact, Suspect) and fact.node is not None and writer is not None:
            found[fact.node].add(writer)
    return found


def _accused(node: Node | None, accusers: Mapping[Node, Set[int]], world: World) -> int | None:
    """The rank at a place; on a host of unknown address the only one with that device that does not itself name it."""
    known = world.of_node(node)
    if known is not None or node is None:
        return known
    left = world.on_device(node.device) - accusers.get(node, frozenset())
    return next(iter(left)) if len(left) == 1 else None


def ends(waits: Iterable[Edge]) -> list[End]:
    """Where the waiting ends, that which most ranks waited for first.

    A rank that waits for several is followed to all of them.
    """
    told = list(waits)
    peers: dict[int, set[int]] = {}
    askers: defaultdict[int, set[int]] = defaultdict(set)
    for edge in told:
        peers.setdefault(edge.peer, set())
        if edge.waiter is not None:
            peers.setdefault(edge.waiter, set()).add(edge.peer)
            askers[edge.peer].add(edge.waiter)
    found = []
    for ring in _rings(peers):
        if all(peers[rank] <= ring for rank in ring):
            direct = tuple(edge for edge in told if edge.peer in ring)
            found.append(End(tuple(sorted(ring)), _reached(ring, askers) - ring, direct))
    return sorted(found, key=lambda end: (-len(end.reached_by), -len(end.edges), end.ranks))


def _reached(start: Set[int], next_to: Mapping[int, Set[int]]) -> frozenset[int]:
    """All that is reached from some ranks, these included."""
    seen, left = set(start), list(start)
    while left:
        for rank in next_to.get(left.pop(), ()):
            if rank not in seen:
                seen.add(rank)
                left.append(rank)
    return frozenset(seen)


def _rings(peers: Mapping[int, Set[int]]) -> Iterator[frozenset[int]]:
    """The ranks in groups, of which each reaches every other of its group (Kosaraju's two walks)."""
    back: defaultdict[int, set[int]] = defaultdict(set)
    for rank, those in peers.items():
        for peer in those:
            back[peer].add(rank)
    taken: set[int] = set()
    for rank in reversed(_finished(peers)):
        if rank not in taken:
            ring, left = {rank}, [rank]
            taken.add(rank)
            while left:
                for before in back[left.pop()] - taken:
                    taken.add(before)
                    ring.add(before)
                    left.append(before)
            yield frozenset(ring)


def _finished(peers: Mapping[int, Set[int]]) -> list[int]:
    """The ranks in the order in which a walk into the depth is done with them."""
    done: list[int] = []
    seen: set[int] = set()
    for start in peers:
        if start in seen:
            continue
        seen.add(start)
        path = [(start, iter(peers[start]))]
        while path:
            rank, left = path[-1]
            peer = next((each for each in left if each not in seen), None)
            if peer is None:
                done.append(rank)
                path.pop()
            else:
                seen.add(peer)
                path.append((peer, iter(peers[peer])))
    return done
