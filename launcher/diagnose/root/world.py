"""Who is who: from the numbers, places and pids in lines to ranks of the job. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from launcher.diagnose.root.collected import Facts
from launcher.diagnose.root.facts import Member, Node, Operation, Place, Seen
from launcher.logs.record import Source

_T = TypeVar("_T")
_OF_RANKS = frozenset((Source.STDOUT, Source.PLOG, Source.DEVICE, Source.FRAMEWORK))


class Spot(NamedTuple):
    """Where a rank is; None for what is not known."""

    host: str | None = None
    device: int | None = None


@dataclass(frozen=True)
class Group:
    """A communicator: its size, and the ranks of the job by their numbers in it, as far as they are known."""

    size: int
    members: Mapping[int, int]

    def rank(self, number: int) -> int | None:
        """The job's rank of a number in it; by the regular distance between the known ones if it is not known."""
        if number in self.members:
            return self.members[number]
        known = sorted(self.members.items())
        if len(known) < 2 or not 0 <= number < self.size:
            return None
        (first, base), (last, end) = known[0], known[-1]
        step, odd = divmod(end - base, last - first)
        if odd or step <= 0 or any(rank != base + step * (each - first) for each, rank in known):
            return None
        found = base + step * (number - first)
        return found if found >= 0 else None


@dataclass(frozen=True)
class World:
    """The job's ranks: how many, which have logs, where they are, and how others call them."""

    size: int
    logged: frozenset[int]
    spots: Mapping[int, Spot]
    groups: Mapping[str, Group]
    pids: Mapping[tuple[str | None, int], int]
    nodes: Mapping[Node, int]

    def writer(self, seen: Seen) -> int | None:
        """The rank whose line it is."""
        return seen.rank if seen.rank is not None else self.of_pid(seen.file.host, seen.pid)

    def of_pid(self, host: str | None, pid: int | None) -> int | None:
        """The rank of a process; without a known host only where one rank alone has this pid."""
        if pid is None:
            return None
        if (host, pid) in self.pids:
            return self.pids[host, pid]
        ranks = {rank for (where, each), rank in self.pids.items() if each == pid and None in (where, host)}
        return next(iter(ranks)) if len(ranks) == 1 else None

    def of_node(self, node: Node | None) -> int | None:
        """The rank at a place; from others on the same host where that one has said nothing itself."""
        if node is None:
            return None
        if node in self.nodes:
            return self.nodes[node]
        bases = {rank - at.device for at, rank in self.nodes.items() if at.address == node.address}
        hosts = {self.spots[rank].host for at, rank in self.nodes.items() if at.address == node.address}
        if not bases and not self.nodes:
            hosts = {spot.host for spot in self.spots.values()}
            bases = {0} if len(hosts) <= 1 else set()
        there = [rank for rank, spot in self.spots.items() if spot.host in hosts and spot.device == node.device]
        if len(there) == 1 and len(hosts) == 1:
            return there[0]
        found = next(iter(bases)) + node.device if len(bases) == 1 else None
        return found if found is not None and (not self.size or found < self.size) else None

    def on_device(self, device: int) -> frozenset[int]:
        """The ranks that have a device of this number on any host, those without logs included."""
        bases: defaultdict[str | None, set[int]] = defaultdict(set)
        for rank, spot in self.spots.items():
            if spot.device is not None:
                bases[spot.host].add(rank - spot.device)
        those = (next(iter(of)) + device for of in bases.values() if len(of) == 1)
        return frozenset(rank for rank in those if rank < self.size)

    def of_number(self, number: int | None, group: str | None, own: int | None, writer: int | None) -> int | None:
        """The rank that a line means by a number in a communicator, of which the writer is number `own`."""
        if number is None:
            return None
        known = self.groups.get(group) if group is not None else None
        if known is None and own is not None and writer is not None and own != writer:
            known = self._smaller(number, own, writer)
            if known is None:
                return None
        if known is not None and known.size != self.size:
            return known.rank(number)
        return number

    def _smaller(self, number: int, own: int, writer: int) -> Group | None:
        """The one communicator, if there is only one, in which the writer has the number `own`."""
        those = [each for each in self.groups.values() if each.members.get(own) == writer and number < each.size]
        return those[0] if len({each.rank(number) for each in those}) == 1 else None

    def spot(self, rank: int) -> Spot:
        """Where a rank is; that of one without logs follows from those before and after it on the same host."""
        if rank in self.spots:
            return self.spots[rank]
        before, after = self.spots.get(rank - 1), self.spots.get(rank + 1)
        if before is not None and after is not None and before.host == after.host:
            device = before.device + 1 if before.device is not None and after.device == before.device + 2 else None
            return Spot(before.host, device)
        hosts = {spot.host for spot in self.spots.values()}
        return Spot(next(iter(hosts)) if len(hosts) == 1 else None)


class _Numbered(NamedTuple):
    """The writer is number `number` of a communicator of `size` ranks."""

    seen: Seen
    group: str
    size: int
    number: int


def world(facts: Facts) -> World:
    """Put together who is who."""
    members = facts.of(Member)
    numbered = [_Numbered(fact.seen, fact.group, fact.size, fact.rank) for fact in members]
    numbered += [
        _Numbered(fact.seen, fact.group, fact.size or fact.own + 1, fact.own)
        for fact in facts.of(Operation)
        if fact.group is not None and fact.own is not None
    ]
    size = max(
        facts.world_size or 0,
        max((each.size for each in numbered), default=0),
        max((file.rank + 1 for file in facts.files if file.rank is not None), default=0),
    )
    pids = _pids(facts, numbered, size)
    known = World(size, frozenset(), {}, {}, pids, {})
    placed = [(fact.node, fact.seen) for fact in members] + [(fact.node, fact.seen) for fact in facts.of(Place)]
    nodes = {node: rank for node, seen in placed if node is not None and (rank := known.writer(seen)) is not None}
    sizes: defaultdict[str, int] = defaultdict(int)
    groups: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for each in numbered:
        sizes[each.group] = max(each.size, sizes[each.group])
        if (rank := known.writer(each.seen)) is not None:
            groups[each.group][each.number] = rank
    logged = {file.rank for file in facts.files if file.rank is not None and file.source in _OF_RANKS}
    logged |= {rank for fact in facts.told if (rank := known.writer(fact.seen)) is not None}
    return World(
        size,
        frozenset(logged),
        _spots(facts, logged, nodes),
        {name: Group(sizes[name], numbers) for name, numbers in groups.items()},
        pids,
        nodes,
    )


def _pids(facts: Facts, numbered: Iterable[_Numbered], size: int) -> dict[tuple[str | None, int], int]:
    """The ranks of processes: by their logs, by their numbers in a communicator of all, and the last one by itself."""
    pids = dict(facts.pids)
    pids |= {(file.host, file.pid): file.rank for file in facts.files if file.rank is not None and file.pid is not None}
    for each in numbered:
        if each.size == size and each.seen.rank is None and each.seen.pid is not None:
            pids.setdefault((each.seen.file.host, each.seen.pid), each.number)
    missing = set(range(size)) - set(pids.values())
    unknown = {
        (file.host, file.pid)
        for file in facts.files
        if file.source is Source.PLOG and file.pid is not None and (file.host, file.pid) not in pids
    }
    if len(missing) == 1 and len(unknown) == 1:
        pids[unknown.pop()] = missing.pop()
    return pids


def _spots(facts: Facts, ranks: Iterable[int], nodes: Mapping[Node, int]) -> dict[int, Spot]:
    """Where ranks are: by their logs, else by what their lines say of their hosts."""
    hosts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    devices: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for file in facts.files:
        if file.rank is not None and file.host is not None:
            hosts[file.rank][file.host] += 1
        if file.rank is not None and file.device is not None:
            devices[file.rank][file.device] += 1
    said = {rank: node for node, rank in nodes.items()}
    return {
        rank: Spot(
            _commonest(hosts.get(rank)) or (said[rank].address if rank in said else None),
            _commonest(devices.get(rank)),
        )
        for rank in ranks
    }


def _commonest(counted: Counter[_T] | None) -> _T | None:
    return counted.most_common(1)[0][0] if counted else None
