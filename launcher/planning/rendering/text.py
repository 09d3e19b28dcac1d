"""A launch plan for a person to read, on 80 columns."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final

from launcher.planning.lines import printable, wrapped
from launcher.planning.model import LaunchPlan, RankProcess, Target
from launcher.planning.rendering.parts import spans
from launcher.planning.shared import pattern, shared_environment
from launcher.specs.sweep import in_words

_LABEL: Final = 13
_MOST_LISTED: Final = 16


def render_text(plan: LaunchPlan) -> str:
    """Who runs where with what. Words longer than a line are not broken, so that paths can be copied."""
    return "\n".join(printable(line) for line in _lines(plan)) + "\n"


def _lines(plan: LaunchPlan) -> Iterator[str]:
    ranks = plan.ranks
    yield from _sentence("run", f"{plan.run}, attempt {plan.attempt}: {plan.name}")
    hosts = f"{len(plan.hosts)} host{'s' * (len(plan.hosts) > 1)}"
    yield from _sentence("job", f"{plan.framework.value} on {plan.target.value}, {plan.world_size} ranks, {hosts}")
    if len(ranks) < plan.world_size:
        yield from _entry("only ranks", spans([rank.rank for rank in ranks]))
    ending = "ends the others" if plan.gang else "leaves the others alone"
    yield from _sentence("failure", f"of one rank {ending}; SIGKILL comes {plan.grace:g} s after SIGTERM")
    if plan.resume_from is not None:
        yield from _entry("resume from", plan.resume_from)
    yield from _entry("rank table", *_rank_table(plan))
    for known in plan.host_environments:
        yield from _entry("CANN", *f"on {' '.join(known.hosts)} from {' '.join(known.files)}".split(" "))
    yield ""
    for host, on_host in groupby(ranks, key=lambda rank: rank.host):
        yield from _host(plan, host, list(on_host))
    yield from _sweep(ranks)
    for service in plan.services:
        yield ""
        yield f"{service.name} on {service.host}"
        yield from _entry("command", *map(shlex.quote, service.argv))
        yield from _entry("log", service.log)
        own = {name: value for name, value in service.env.items() if ranks[0].env.get(name) != value}
        yield from _variables(own)
    yield ""
    yield "every rank"
    yield from _every_rank(ranks)
    if plan.openings:
        yield ""
        yield "open between the hosts"
        for opening in plan.openings:
            on = plan.hosts[0] if opening.on == plan.hosts[:1] else "every host"
            yield from _entry("", *f"{opening.ports}/{opening.protocol} on {on}: {opening.to}".split(" "))
    yield ""
    yield "removed from the environment first"
    yield from wrapped("  ", "  ", plan.unset)
    if plan.warnings:
        yield ""
        yield "warnings"
        for warning in plan.warnings:
            yield from wrapped("  ", "  ", warning.split(" "))


def _rank_table(plan: LaunchPlan) -> tuple[str, ...]:
    if plan.rank_table is None or plan.rank_table_path is None:
        return ("none: ranks on CPU have no devices" if plan.target is Target.CPU else "none: ranks meet without one",)
    version = getattr(plan.rank_table, "version", None)
    return (plan.rank_table_path, f"({f'version {version}' if version else 'legacy'})")


def _host(plan: LaunchPlan, host: str, ranks: Sequence[RankProcess]) -> Iterator[str]:
    devices = [rank.device for rank in ranks if rank.device is not None]
    place = f", devices {spans(devices)}" if plan.target is Target.ASCEND else ""
    yield from _sentence("host", f"{host}: ranks {spans([rank.rank for rank in ranks])}{place}")


def _sweep(ranks: Sequence[RankProcess]) -> Iterator[str]:
    """Which combination each rank has."""
    if not ranks[0].combination:
        return
    yield ""
    yield "sweep"
    for rank in ranks[:_MOST_LISTED]:
        yield f"  rank {rank.rank:<7} {in_words(rank.combination)}"
    if len(ranks) > _MOST_LISTED:
        yield f"  {len(ranks) - _MOST_LISTED} more ranks have a combination of their own: -o json shows them"


def _every_rank(ranks: Sequence[RankProcess]) -> Iterator[str]:
    if len({len(rank.argv) for rank in ranks}) == 1:
        columns = (_seen(lambda rank, at=at: rank.argv[at], ranks) for at in range(len(ranks[0].argv)))  # type: ignore[misc]
        yield from _entry("command", *map(shlex.quote, columns))
    else:
        yield from _entry("command", *map(shlex.quote, ranks[0].argv), f"(rank {ranks[0].rank}; others differ)")
    yield from _entry("folder", _seen(lambda rank: rank.cwd, ranks))
    yield from _entry("log", _seen(lambda rank: rank.log, ranks))
    if any(rank.cpus for rank in ranks):
        words = [f"rank {rank.rank}: {spans(rank.cpus or ()) or 'all'};" for rank in ranks[:_MOST_LISTED]]
        yield from _entry("CPUs", *words, *(["..."] if len(ranks) > _MOST_LISTED else []))
    shared = shared_environment(ranks)
    yield from _variables(shared)
    for name in ranks[0].env:
        if name in shared:
            continue
        values = [rank.env[name] for rank in ranks]
        common = pattern(values, ranks)
        if common is not None:
            yield from _variables({name: common})
            continue
        for rank in ranks[:_MOST_LISTED]:
            yield f"  rank {rank.rank:<7} {name}={shlex.quote(rank.env[name])}"
        if len(ranks) > _MOST_LISTED:
            yield f"  {len(ranks) - _MOST_LISTED} more ranks have a {name} of their own: -o json shows them"


def _seen(part: Callable[[RankProcess], str], ranks: Sequence[RankProcess]) -> str:
    texts = [part(rank) for rank in ranks]
    return pattern(texts, ranks) or f"{texts[0]} (rank {ranks[0].rank}; others differ)"


def _variables(env: dict[str, str]) -> Iterator[str]:
    for name, value in env.items():
        yield f"  {name}={value}"


def _sentence(label: str, text: str) -> Iterator[str]:
    yield from _entry(label, *text.split(" "))


def _entry(label: str, *words: str) -> Iterator[str]:
    yield from wrapped(f"{label:<{_LABEL}}", " " * _LABEL, words)
