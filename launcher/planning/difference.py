"""What differs between two launch plans, beyond what differs between any two runs: ids, folders and ports."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import PurePosixPath
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from launcher.planning.model import LaunchPlan, Origin, RankProcess
from launcher.planning.rendering.parts import spans
from launcher.planning.rendering.quoting import remark
from launcher.planning.shared import pattern
from launcher.specs import Cluster, Recipe
from launcher.specs.spec import Spec

# Chosen anew at each start, unless the recipe names them.
_PORTS: Final = frozenset({"MS_SCHED_PORT", "MASTER_PORT", "CM_CHIEF_PORT", "HCCL_IF_BASE_PORT"})
_OF_ONE_START: Final = frozenset({"NPU_LAUNCH_ATTEMPT", "TORCHELASTIC_RESTART_COUNT", *_PORTS})
_LONGEST: Final = 80  # characters of a value that are shown
_BEFORE: Final = 20  # of them, those before the first that differs
_PORT_IN_JSON: Final = re.compile(r':\d+"')  # of TF_CONFIG's addresses


class Subject(str, Enum):
    """What a change is about."""

    RECIPE = "recipe"
    CLUSTER = "cluster"
    PLAN = "plan"
    RANKS = "ranks"


class Change(BaseModel):
    """One thing that is not as it was; None stands for what is not there."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    subject: Subject
    name: str
    before: str | None
    after: str | None
    ranks: tuple[int, ...] = Field(
        default=(),
        description="The ranks that it is about; in texts that follow a rank's "
        "numbers, {rank}, {local_rank} and {device} stand for these.",
    )


class Side(BaseModel):
    """A plan, and what it was made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    plan: LaunchPlan
    recipe: Recipe
    cluster: Cluster


def difference(before: Side, after: Side) -> tuple[Change, ...]:
    """All that changed: in the recipe and the cluster, in the plan as a whole, and for ranks, grouped."""
    return (
        *_compared(Subject.RECIPE, _recipe(before.recipe), _recipe(after.recipe)),
        *_compared(Subject.CLUSTER, _cluster(before.cluster), _cluster(after.cluster)),
        *_compared(Subject.PLAN, _whole(before.plan), _whole(after.plan)),
        *_ranks(before.plan, after.plan),
    )


def render_difference(changes: Sequence[Change], since: str) -> str:
    """The changes for a person to read, one a line; `since` says which run it is that they are compared with."""
    if not changes:
        return f"nothing has changed since {remark(since)}\n"
    labels = [f"rank{'s' * (len(c.ranks) > 1)} {spans(c.ranks)}" if c.ranks else c.subject.value for c in changes]
    width = max(map(len, labels))
    lines = [f"changed since {remark(since)}"]
    for label, change in zip(labels, changes, strict=True):
        lines.append(remark(f"  {label:<{width}}  {change.name}  {_what(change)}"))
    return "\n".join(lines) + "\n"


def _what(change: Change) -> str:
    """What was and what is; of long texts, such as a rank table, the part where they begin to differ."""
    before, after = change.before, change.after
    if before is None or after is None:
        return f"new: {_part(after or '', 0)}" if before is None else f"gone: {_part(before, 0)}"
    if max(len(before), len(after)) <= _LONGEST:
        return f"{before} -> {after}"
    same = next((at for at, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), 0)
    return f"{_part(before, same)} -> {_part(after, same)}"


def _part(text: str, at: int) -> str:
    """So much of a text as fits, from a little before a place in it."""
    first = max(0, at - _BEFORE)
    return f"{'...' * (first > 0)}{text[first : first + _LONGEST]}{'...' * (len(text) > first + _LONGEST)}"


def _compared(subject: Subject, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield Change(subject=subject, name=name, before=before.get(name), after=after.get(name))


def _recipe(recipe: Recipe) -> Mapping[str, str]:
    return dict(_flat(_plain(recipe.resolved())))


def _cluster(cluster: Cluster) -> Mapping[str, str]:
    """Hosts are told apart by their names."""
    values = _plain(cluster)
    values["hosts"] = {host["name"]: host for host in values["hosts"]}
    return dict(_flat(values))


def _plain(spec: Spec) -> dict[str, Any]:
    values: dict[str, Any] = spec.model_dump(mode="json", exclude_none=True)
    return values


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """The values of nested mappings by their dotted paths; lists and scalars as texts."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _flat(item, f"{path}.{key}" if path else key)
    elif value is not None:
        yield path, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _whole(plan: LaunchPlan) -> Mapping[str, str]:
    found = {
        "framework": plan.framework.value,
        "target": plan.target.value,
        "world_size": str(plan.world_size),
        "hosts": " ".join(plan.hosts),
        "gang": str(plan.gang).lower(),
        "grace": f"{plan.grace:g}",
        "lease": f"{plan.lease:g}",
        "prewarm": str(plan.prewarm).lower(),
        "services": " ".join(f"{service.name} on {service.host}" for service in plan.services),
        "rank table": "" if plan.rank_table is None else _one_line(plan.rank_table.to_json()),
    }
    for known in plan.host_environments:
        for where, variables in (("", known.variables), ("before ", known.prepended), ("after ", known.appended)):
            found |= {f"{where}{name} on {' '.join(known.hosts)}": value for name, value in variables.items()}
    return {name: value for name, value in found.items() if value}


def _one_line(table: str) -> str:
    return json.dumps(json.loads(table), separators=(",", ":"))


def _ranks(before: LaunchPlan, after: LaunchPlan) -> Iterator[Change]:
    old, new = _facts(before), _facts(after)
    members = {rank.rank: rank for rank in (*before.ranks, *after.ranks)}
    lone = {rank: (_place(old.get(rank)), _place(new.get(rank))) for rank in sorted(old.keys() ^ new.keys())}
    yield from _grouped("rank", lone, members)
    ranks = sorted(old.keys() & new.keys())
    names = dict.fromkeys(name for facts in (*old.values(), *new.values()) for name in facts)
    for name in names:
        pairs = {rank: (old[rank].get(name), new[rank].get(name)) for rank in ranks}
        yield from _grouped(name, {rank: pair for rank, pair in pairs.items() if pair[0] != pair[1]}, members)


def _place(facts: Mapping[str, str] | None) -> str | None:
    return None if facts is None else f"on {facts['host']}"


def _grouped(
    name: str, pairs: Mapping[int, tuple[str | None, str | None]], members: Mapping[int, RankProcess]
) -> Iterator[Change]:
    """One change for ranks whose texts follow a pattern, else one for those with the same texts."""
    if not pairs:
        return
    whole = [_pattern([pair[side] for pair in pairs.values()], [members[rank] for rank in pairs]) for side in (0, 1)]
    if _UNLIKE not in whole:
        yield Change(subject=Subject.RANKS, name=name, before=whole[0], after=whole[1], ranks=tuple(pairs))
        return
    groups: dict[tuple[str | None, str | None], list[int]] = {}
    for rank, pair in pairs.items():
        groups.setdefault(pair, []).append(rank)
    for (old, new), ranks in groups.items():
        yield Change(subject=Subject.RANKS, name=name, before=old, after=new, ranks=tuple(ranks))


_UNLIKE: Final = "\0"  # no text of a plan holds it


def _pattern(texts: Sequence[str | None], ranks: Sequence[RankProcess]) -> str | None:
    known = [text for text in texts if text is not None]
    if not known:
        return None
    return _UNLIKE if len(known) < len(texts) else pattern(known, ranks) or _UNLIKE


def _facts(plan: LaunchPlan) -> Mapping[int, Mapping[str, str]]:
    """What each rank is and is given, under names, without what is the run's own."""
    own = {name for layer in plan.layers if layer.origin is Origin.RECIPE for name in layer.names}
    hidden = _OF_ONE_START - own
    anonymous = _Anonymous(plan)

    def facts(rank: RankProcess) -> Mapping[str, str]:
        return {
            "host": rank.host,
            **({} if rank.device is None else {"device": str(rank.device)}),
            **_command(rank.argv, rank.resume_from or plan.resume_from, anonymous),
            "folder": anonymous(rank.cwd),
            **({"cpus": spans(rank.cpus)} if rank.cpus else {}),
            **{
                f"env {name}": _PORT_IN_JSON.sub(':{port}"', anonymous(value))
                if name == "TF_CONFIG" and name not in own
                else anonymous(value)
                for name, value in rank.env.items()
                if name not in hidden
            },
        }

    return {rank.rank: facts(rank) for rank in plan.ranks}


def _command(argv: Sequence[str], resume_from: str | None, anonymous: _Anonymous) -> Mapping[str, str]:
    """The words before the first option as `command`, and each option with its words."""
    found: dict[str, list[str]] = {"command": []}
    name = "command"
    for word in argv:
        if resume_from is not None and word.startswith("--") and word.endswith(f"={resume_from}"):
            continue  # where a run goes on from is not part of what it is
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            found[name] = [anonymous(value)] if equals else []
        else:
            found[name].append(anonymous(word))
    return {name: " ".join(words) for name, words in found.items()}


class _Anonymous:
    """Writes `{run}`, `{run_dir}` and `{attempt_dir}` for what is a run's own in texts of its plan."""

    def __init__(self, plan: LaunchPlan) -> None:
        log = PurePosixPath(plan.ranks[0].log)
        self._words = (
            (str(log.parents[2]), "{attempt_dir}"),
            (str(log.parents[4]), "{run_dir}"),
            (plan.run, "{run}"),
        )
        self._pattern = re.compile("|".join(re.escape(text) for text, _ in self._words))

    def __call__(self, text: str) -> str:
        words = dict(self._words)
        return self._pattern.sub(lambda match: words[match.group()], text)
