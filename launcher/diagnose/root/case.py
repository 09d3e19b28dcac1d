"""Everything that the question of the root is decided on, put in order once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from launcher.diagnose.choosing import most_telling
from launcher.diagnose.finding import Confidence, Evidence, Finding, Role
from launcher.diagnose.root.cause import Considered, Order
from launcher.diagnose.root.clocks import Clocks, When
from launcher.diagnose.root.collected import Facts
from launcher.diagnose.root.stories import Story, Teller, stories, without_former_lives
from launcher.diagnose.root.waits import Edge, End, edges, ends
from launcher.diagnose.root.world import World, world


class Pick(NamedTuple):
    """Who is taken for the root, for what cause, and why; `also` may just as well have been first."""

    cause: str
    confidence: Confidence
    why: str
    rank: int | None = None
    teller: Teller | None = None
    evidence: tuple[Evidence, ...] = ()
    finding: Finding | None = None
    order: Order = Order.FIRST
    also: tuple[int, ...] = ()
    dropped: tuple[Considered, ...] = ()


@dataclass(frozen=True)
class Case:
    """The ranks' stories, and who waited for whom."""

    facts: Facts
    world: World
    stories: Mapping[Teller, Story]
    former: Sequence[Finding]
    clocks: Clocks

    @classmethod
    def of(cls, findings: Iterable[Finding], facts: Facts) -> Case:
        """Put findings and facts in order; what a rank said before it last began is only kept as `former`."""
        who = world(facts)
        said = most_telling(list(findings))
        faults = [each for each in said if each.role is not Role.NOISE]
        current = without_former_lives(faults, facts, who)
        kept = set(map(id, current))
        former = [each for each in faults if id(each) not in kept]
        return cls(facts, who, stories(current, facts, who), former, Clocks(facts))

    @cached_property
    def processes(self) -> list[Story]:
        """The stories of ranks, and of processes whose rank is not known."""
        return [story for story in self.stories.values() if story.is_of_a_process]

    @cached_property
    def edges(self) -> list[Edge]:
        """Everything that one rank says of another."""
        return edges(self.facts.told, self.world)

    @cached_property
    def ends(self) -> list[End]:
        """Where waiting ends."""
        return ends(self.edges)

    @cached_property
    def told(self) -> list[Finding]:
        """All that was found in the ranks' last lives, with ranks as far as they are known."""
        return [finding for story in self.stories.values() for finding in story.findings]

    def when(self, story: Story, finding: Finding) -> When | None:
        """When a finding was by the common clock, or at the latest: when its process ended, or said its last."""
        time = story.time_of(finding)
        if time is None and story.death is not None and story.death.time is not None and self.facts.deaths:
            return When(story.death.time, 0.0, None)
        time = story.ended if time is None else time
        return None if time is None else self.clocks.when(time, finding.host or story.host)

    @cached_property
    def peers(self) -> Mapping[int, Set[int]]:
        """The ranks that each rank says it waited for."""
        found: defaultdict[int, set[int]] = defaultdict(set)
        for edge in self.edges:
            if edge.waiter is not None:
                found[edge.waiter].add(edge.peer)
        return found
