"""The parts of a plan that all scripts are made of, spelled for bash."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from launcher.planning.environment.set_env_files import candidates, driver_libraries
from launcher.planning.model import LaunchPlan, RankProcess, Target
from launcher.planning.rendering.quoting import shell_word
from launcher.planning.rendering.words import Cell, Speller
from launcher.specs import Cluster, FrozenMap

CannFolders = Mapping[str, str | None]
"""CANN's folder on each host, None where it is installed as usual."""


@dataclass(frozen=True)
class ServicePart:
    """A process beside the ranks."""

    name: str
    log: str
    cwd: str
    variables: tuple[str, ...]
    command: str


@dataclass(frozen=True)
class HostPart:
    """What one host starts. `seats` are `rank:local rank:device:node` of its ranks; `key` names it."""

    key: str
    seats: str
    services: tuple[str, ...]


@dataclass(frozen=True)
class EnvironmentPart:
    """What the processes of some hosts inherit beyond the environment of the script.

    `variables` where it is known what CANN's set_env.sh leaves; else the script sources `files`, of each group the
    first that is there, and adds those `libraries` that are. `keys` are empty where it is the same on all hosts.
    """

    keys: tuple[str, ...]
    variables: tuple[str, ...] = ()
    files: tuple[tuple[str, ...], ...] = ()
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class TablePart:
    """The rank table: where it has to be, and its text for a here-document."""

    path: str
    folder: str
    text: str


@dataclass(frozen=True)
class ScriptParts:
    """All that the templates of scripts speak of."""

    name: str
    run: str
    unset: tuple[str, ...]
    grace: int
    gang: bool
    hosts: tuple[HostPart, ...]
    services: tuple[ServicePart, ...]
    variables: Mapping[str, Cell]
    command: Cell
    cwd: Cell
    log: Cell
    cann_logs: Cell
    cpus: Cell | None
    table: TablePart | None
    environments: tuple[EnvironmentPart, ...]
    warnings: tuple[str, ...]

    def on(self, key: str) -> ScriptParts:
        """The parts of a script for one host alone."""
        own = (replace(part, keys=()) for part in self.environments if not part.keys or key in part.keys)
        return replace(self, environments=tuple(own))


def script_parts(
    plan: LaunchPlan,
    speller: Speller | None = None,
    key: Callable[[int, str], str] = lambda _, host: host,
    cann: CannFolders = FrozenMap(),  # noqa: B008 # it is frozen
) -> ScriptParts:
    """The parts of a script for all hosts of a plan; `key` gives a host's name in it, from its place and its name.

    Where the plan does not know what CANN's set_env.sh leaves on a host, the script sources it.
    """
    speller = replace(speller or Speller(), places={host: place for place, host in enumerate(plan.hosts)})
    ranks = plan.ranks
    keys = {host: key(place, host) for place, host in enumerate(plan.hosts)}

    def each(part: Callable[[RankProcess], str]) -> Cell:
        return speller.each([part(rank) for rank in ranks], ranks)

    on_host = ranks_by_host(plan)
    is_bound = any(rank.cpus for rank in ranks)
    return ScriptParts(
        name=plan.name,
        run=plan.run,
        unset=plan.unset,
        grace=math.ceil(plan.grace),
        gang=plan.gang,
        hosts=tuple(_host(plan, host, place, key, on_host[host]) for place, (host, key) in enumerate(keys.items())),
        services=tuple(
            ServicePart(
                name=service.name,
                log=speller.one(service.log),
                cwd=speller.one(service.cwd),
                variables=tuple(f"{name}={speller.one(value)}" for name, value in service.env.items()),
                command=speller.words(service.argv),
            )
            for service in plan.services
        ),
        variables={name: _variable(speller, name, ranks) for name in _names(ranks)},
        command=speller.each_row([rank.argv for rank in ranks], ranks),
        cwd=each(lambda rank: rank.cwd),
        log=each(lambda rank: rank.log),
        cann_logs=each(lambda rank: rank.cann_log_dir),
        cpus=each(lambda rank: spans(rank.cpus or ())) if is_bound else None,
        table=_table(plan, speller),
        environments=tuple(_environments(plan, keys, cann)),
        warnings=plan.warnings,
    )


def spans(numbers: Sequence[int]) -> str:
    """Ascending numbers as `0-3,6`."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in found)


def cann_folders(cluster: Cluster) -> CannFolders:
    """CANN's folder on each host of a cluster."""
    return {host.name: host.cann for host in cluster.hosts}


def run_folder(plan: LaunchPlan) -> str:
    """The run directory, of which a plan knows what is in it: attempts/N/ranks/R/stdout.log."""
    return str(PurePosixPath(plan.ranks[0].log).parents[4])


def ranks_by_host(plan: LaunchPlan) -> Mapping[str, tuple[RankProcess, ...]]:
    """The ranks of each host, in the order of hosts and ranks."""
    found: dict[str, list[RankProcess]] = {host: [] for host in plan.hosts}
    for rank in plan.ranks:
        found[rank.host].append(rank)
    return {host: tuple(ranks) for host, ranks in found.items()}


def _host(plan: LaunchPlan, host: str, place: int, key: str, ranks: Sequence[RankProcess]) -> HostPart:
    seats = (f"{rank.rank}:{rank.local_rank}:{rank.slot}:{place}" for rank in ranks)
    services = tuple(service.name for service in plan.services if service.host == host)
    return HostPart(key=key, seats=" ".join(seats), services=services)


def _environments(plan: LaunchPlan, keys: Mapping[str, str], cann: CannFolders) -> Iterator[EnvironmentPart]:
    """One for each group of hosts that have the same."""
    alike: dict[EnvironmentPart, list[str]] = {}
    for host, key in keys.items():
        alike.setdefault(_environment(plan, host, cann.get(host)), []).append(key)
    for part, members in alike.items():
        if part.variables or part.files:
            yield replace(part, keys=tuple(members) if len(alike) > 1 else ())


def _environment(plan: LaunchPlan, host: str, cann: str | None) -> EnvironmentPart:
    known = plan.host_environment(host)
    if known is not None:
        variables = (
            *(f"{name}={shell_word(value)}" for name, value in known.variables.items()),
            *(f'{name}={shell_word(value)}"${{{name}:+:${name}}}"' for name, value in known.prepended.items()),
            *(f'{name}="${{{name}:+${name}:}}"{shell_word(value)}' for name, value in known.appended.items()),
        )
        return EnvironmentPart((), variables)
    if plan.target is Target.CPU:
        return EnvironmentPart(())
    return EnvironmentPart((), files=candidates(cann, plan.framework), libraries=driver_libraries(cann))


def _names(ranks: Sequence[RankProcess]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for rank in ranks for name in rank.env))


def _variable(speller: Speller, name: str, ranks: Sequence[RankProcess]) -> Cell:
    having = [rank for rank in ranks if name in rank.env]
    cell = speller.each([rank.env[name] for rank in having], having)
    if cell.shared is None or len(having) == len(ranks):
        return cell
    return Cell(own={rank.rank: speller.one(rank.env[name]) for rank in having})


def _table(plan: LaunchPlan, speller: Speller) -> TablePart | None:
    if plan.rank_table is None or plan.rank_table_path is None:
        return None
    return TablePart(
        path=speller.one(plan.rank_table_path),
        folder=speller.one(str(PurePosixPath(plan.rank_table_path).parent)),
        text=speller.document(plan.rank_table.to_json()),
    )
