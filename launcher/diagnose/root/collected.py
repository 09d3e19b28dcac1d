"""All that is known of a failure besides findings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from launcher.diagnose.root.facts import Fact
from launcher.logs.record import LogFile
from launcher.logs.stamps import Correction
from launcher.specs.frozen import FrozenMap

_F = TypeVar("_F")


class Extent(NamedTuple):
    """When a log's first and last lines with a stamp were written, by its host's clock."""

    begun: float
    ended: float


class Death(NamedTuple):
    """How a rank's process ended, by the record of a run: `code` is minus the signal that killed it.

    `stopped` says that npu-launch had told it to stop before; `oom` is what the kernel said when it killed the process
    for want of memory. `time` is by the clock of the run's home. Deaths are kept in the order in which they were seen.
    """

    rank: int
    code: int
    time: float | None
    stopped: bool = False
    oom: str | None = None
    host: str | None = None


@dataclass(frozen=True)
class Facts:
    """What the logs tell beside findings, and what the record of a run adds.

    `extents` are by the names of logs. `corrections` turn the times of a host into those of the run's home; None where
    there is no record that could tell, so that nothing is known of how clocks differ. `pids` are those of the ranks'
    processes by host, as a record has them.
    """

    files: tuple[LogFile, ...] = ()
    told: tuple[Fact, ...] = ()
    extents: Mapping[str, Extent] = field(default_factory=FrozenMap)
    deaths: tuple[Death, ...] = ()
    world_size: int | None = None
    corrections: Mapping[str, Correction] | None = None
    pids: Mapping[tuple[str | None, int], int] = field(default_factory=FrozenMap)

    def of(self, kind: type[_F]) -> list[_F]:
        """The facts of one kind, in the order of files and lines."""
        return [fact for fact in self.told if isinstance(fact, kind)]
