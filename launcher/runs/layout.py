"""Where everything of a run lies: the one place that knows the paths of a run directory."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RankLayout:
    """The folder of one rank in one attempt."""

    directory: Path

    @property
    def log(self) -> Path:
        """Standard output and error, written by the rank itself."""
        return self.directory / "stdout.log"

    @property
    def cann(self) -> Path:
        """CANN's logs of this rank alone (ASCEND_PROCESS_LOG_PATH)."""
        return self.directory / "cann"

    @property
    def work(self) -> Path:
        """The rank's working folder, unless the recipe names another."""
        return self.directory / "work"


@dataclass(frozen=True)
class ServiceLayout:
    """The folder of a process that serves the ranks, such as MindSpore's scheduler."""

    directory: Path

    @property
    def log(self) -> Path:
        """Standard output and error."""
        return self.directory / "stdout.log"

    @property
    def work(self) -> Path:
        """The service's working folder."""
        return self.directory / "work"


@dataclass(frozen=True)
class AttemptLayout:
    """The folder of one attempt."""

    directory: Path

    @property
    def plan(self) -> Path:
        """The LaunchPlan of the attempt."""
        return self.directory / "plan.json"

    @property
    def rank_table(self) -> Path:
        """The rank table, on every host under the same path."""
        return self.directory / "hccl.json"

    @property
    def stacks(self) -> Path:
        """Where the ranks were when they came to a standstill: the stacks of all of them."""
        return self.directory / "stacks.txt"

    @property
    def diagnosis(self) -> Path:
        """What its logs say of why it failed."""
        return self.directory / "diagnosis.json"

    @property
    def ranks(self) -> Path:
        """The parent of all ranks' folders."""
        return self.directory / "ranks"

    def rank(self, rank: int) -> RankLayout:
        """The folder of a rank."""
        return RankLayout(self.ranks / str(rank))

    @property
    def services(self) -> Path:
        """The parent of all services' folders."""
        return self.directory / "services"

    def service(self, name: str) -> ServiceLayout:
        """The folder of a service."""
        return ServiceLayout(self.services / name)


@dataclass(frozen=True)
class RunLayout:
    """The directory of a run."""

    directory: Path

    @property
    def run(self) -> Path:
        """What the run is: id, name, when it began."""
        return self.directory / "run.json"

    @property
    def recipe(self) -> Path:
        """The recipe as it was run, with every path absolute."""
        return self.directory / "recipe.yaml"

    @property
    def cluster(self) -> Path:
        """The cluster as it was found."""
        return self.directory / "cluster.yaml"

    @property
    def sights(self) -> Path:
        """What was seen of the hosts of a run that its home cannot look at again."""
        return self.directory / "hosts.json"

    @property
    def events(self) -> Path:
        """The record: append-only, and the truth."""
        return self.directory / "events.jsonl"

    @property
    def attempts(self) -> Path:
        """The parent of all attempts' folders."""
        return self.directory / "attempts"

    def attempt(self, number: int) -> AttemptLayout:
        """The folder of an attempt, counted from 1."""
        return AttemptLayout(self.attempts / str(number))
