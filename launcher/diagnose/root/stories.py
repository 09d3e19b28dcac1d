"""What happened to each rank by its own logs: findings and facts, put together by who they are of. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from launcher.diagnose.choosing import choose
from launcher.diagnose.finding import Finding, Role
from launcher.diagnose.root.collected import Death, Extent, Facts
from launcher.diagnose.root.facts import Ended, Member
from launcher.diagnose.root.world import Spot, World
from launcher.logs.record import LogFile, Source

Teller = int | str
"""A rank; or, for a log whose rank is not known, the log."""

_OF_PROCESSES = frozenset((Source.STDOUT, Source.PLOG, Source.FRAMEWORK, Source.DEVICE))
_BYSTANDERS = frozenset((Source.HOST, Source.SCHEDULER, Source.LAUNCHER))


@dataclass(frozen=True)
class Story:
    """One rank's: what was found in its logs, when they begin and end, and how its process ended.

    `rank` is None for a log of no known rank, such as that of a launcher or a host.
    """

    teller: Teller
    rank: int | None
    host: str | None
    device: int | None
    findings: tuple[Finding, ...] = ()
    begun: float | None = None
    ended: float | None = None
    death: Death | None = None

    @property
    def candidate(self) -> Finding | None:
        """What it says that may be the root."""
        return choose([each for each in self.findings if each.role is Role.ROOT_CANDIDATE])

    @property
    def follows(self) -> Finding | None:
        """What it says that follows from something elsewhere."""
        return choose([each for each in self.findings if each.role is Role.CASCADE])

    @property
    def is_of_a_process(self) -> bool:
        """Whether it is a rank's, if not of a known one; not what a launcher or a host says."""
        return self.rank is not None or any(each.file.source not in _BYSTANDERS for each in self.findings)

    def time_of(self, finding: Finding) -> float | None:
        """When a finding was, by its host's clock; for a line without a stamp, when the same was said with one."""
        if finding.time is not None:
            return finding.time
        return min((each.time for each in self.findings if each.cause == finding.cause and each.time), default=None)


def stories(findings: Sequence[Finding], facts: Facts, world: World) -> dict[Teller, Story]:
    """Each rank's story, and that of each log of no known rank in which something was found."""
    ended = {_place(fact): death.rank for fact, death in _told_deaths(facts, world)}
    placed = [_placed(finding, world, ended) for finding in findings]
    by_teller: defaultdict[Teller, list[Finding]] = defaultdict(list)
    for finding in placed:
        by_teller[_teller(finding)].append(finding)
    extents = _extents(facts)
    told = facts.deaths or [death for _, death in _told_deaths(facts, world)]
    deaths = {death.rank: death for death in reversed(told)}
    found: dict[Teller, Story] = {}
    for teller in dict.fromkeys((*sorted(world.logged | set(deaths)), *by_teller)):
        rank = teller if isinstance(teller, int) else None
        spot = world.spot(rank) if rank is not None else None
        extent = extents.get(teller)
        those = tuple(by_teller.get(teller, ()))
        first = those[0] if those else None
        found[teller] = Story(
            teller,
            rank,
            (spot.host if spot else None) or (first.host if first else None),
            spot.device if spot and spot.device is not None else first.device if first else None,
            those,
            extent.begun if extent else None,
            extent.ended if extent else None,
            deaths.get(rank) if rank is not None else None,
        )
    return found


def _told_deaths(facts: Facts, world: World) -> list[tuple[Ended, Death]]:
    """How processes ended by what a launcher printed, where it can be told of which rank they were."""
    one_host = len({spot.host for spot in world.spots.values()}) <= 1
    found = []
    for ended in facts.of(Ended):
        host = ended.host or ended.seen.file.host
        rank = ended.rank if ended.rank is not None else world.of_pid(host, ended.pid)
        if rank is None and one_host:
            rank = ended.local_rank
        if rank is not None:
            found.append((ended, Death(rank, ended.code, ended.seen.time, host=host)))
    return found


def _place(fact: Ended) -> tuple[str, int]:
    return fact.seen.evidence.file, fact.seen.evidence.line


def _placed(finding: Finding, world: World, ended: Mapping[tuple[str, int], int]) -> Finding:
    """A finding with the rank that its line means by a pid, a device or a launcher's word, if its log is of none."""
    if finding.rank is not None:
        return finding
    host = finding.host if finding.host is not None else finding.file.host
    rank = ended.get((finding.file.name, finding.line))
    if rank is None:
        rank = world.of_pid(host, _number(finding.extracted.get("pid")))
    if rank is None and finding.file.source in _OF_PROCESSES:
        rank = world.of_pid(host, finding.file.pid)
    if rank is None:
        device = finding.device if finding.device is not None else _number(finding.extracted.get("device"))
        there = [of for of, spot in world.spots.items() if device is not None and spot == Spot(host, device)]
        rank = there[0] if len(there) == 1 else None
    if rank is None:
        return finding
    spot = world.spot(rank)
    device = finding.device if finding.device is not None else spot.device
    return replace(finding, rank=rank, host=host or spot.host, device=device)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 12 else None


def _teller(finding: Finding) -> Teller:
    return finding.rank if finding.rank is not None else _log(finding.file)


def _log(file: LogFile) -> str:
    """What logs of one process have in common where its rank is not known."""
    if file.pid is not None and file.source in _OF_PROCESSES:
        return f"pid {file.pid} of {file.host}"
    return file.stream or file.name


def _extents(facts: Facts) -> Mapping[Teller, Extent]:
    """From when to when each rank, or log of no known rank, said something."""
    found: dict[Teller, Extent] = {}
    for file in facts.files:
        extent = facts.extents.get(file.name)
        if extent is None or file.source is Source.DEVICE:
            continue
        teller: Teller = file.rank if file.rank is not None else _log(file)
        before = found.get(teller, extent)
        found[teller] = Extent(min(before.begun, extent.begun), max(before.ended, extent.ended))
    return found


def without_former_lives(findings: Iterable[Finding], facts: Facts, world: World) -> list[Finding]:
    """What was found since each rank last began: in the last attempt, and after it joined the job's communicator again.

    A process that joins a communicator of all ranks for the second time has started again by itself. What it says
    without a time goes with what it says of the same cause with one.
    """
    attempts = {file.attempt for file in facts.files if file.attempt is not None and file.rank is not None}
    last = max(attempts, default=None)
    joined: defaultdict[tuple[int, str], list[Member]] = defaultdict(list)
    for member in facts.of(Member):
        rank = world.writer(member.seen)
        if rank is not None and member.size == world.size and not member.ready:
            joined[rank, member.seen.file.stream or member.seen.file.name].append(member)
    again = {key: those[-1] for key, those in joined.items() if len({each.group for each in those}) > 1}

    def is_over(finding: Finding) -> bool:
        if finding.file.attempt is not None and finding.file.attempt != last and finding.file.rank is not None:
            return True
        rank = finding.rank
        begun = again.get((rank, finding.file.stream or finding.file.name)) if rank is not None else None
        if begun is not None and begun.seen.file.name == finding.file.name:
            return finding.line < begun.seen.evidence.line
        times = [each.seen.time for (of, _), each in again.items() if of == rank and each.seen.time is not None]
        return bool(times) and finding.time is not None and finding.time < max(times)

    told = list(findings)
    over = [is_over(finding) for finding in told]
    was = {(finding.rank, finding.cause) for finding, gone in zip(told, over, strict=True) if gone}
    still = {
        (each.rank, each.cause) for each, gone in zip(told, over, strict=True) if not gone and each.time is not None
    }
    return [
        finding
        for finding, gone in zip(told, over, strict=True)
        if not gone and (finding.time is not None or (finding.rank, finding.cause) not in was - still)
    ]
