"""What a shim has to know of an attempt's plan."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

_KINDS = ("ranks", "services")
_COMMON = ("run", "attempt", "gang", "grace", "lease", "log_limit", "prewarm", "unset", "resume_from")
_ELSEWHERE = "elsewhere"  # the kinds that other hosts have, too


class Plan(NamedTuple):
    """A host's part of an attempt's plan and the folder it lies in; one that cannot be read has no content."""

    attempt: int
    content: dict[str, Any] = {}  # noqa: RUF012 - nobody writes to it
    folder: str = ""

    @property
    def is_independent(self) -> bool:
        """Whether it has nothing but ranks that need no others."""
        return bool(self.content) and not self.content["gang"] and not has(self.content, "services")

    @property
    def ranks(self) -> set[int]:
        return {rank["rank"] for rank in self.content["ranks"]}

    @property
    def logs(self) -> dict[str, str]:
        """The logs of its ranks and services, and the folders of CANN's: path to whose it is."""
        ranks = {rank["log"]: f"rank {rank['rank']}" for rank in self.content["ranks"]}
        services = {service["log"]: service["name"] for service in self.content["services"]}
        folders = [(rank.get("cann_log_dir"), rank["rank"]) for rank in self.content["ranks"]]
        return {**ranks, **services, **{folder: f"CANN of rank {rank}" for folder, rank in folders if folder}}


def parts_of(plan: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What each host has to know of a plan, by host: its own ranks, services and claims, and whether others have any.

    All parts together are hardly larger than the plan, however many hosts there are.
    """
    common = {name: plan[name] for name in _COMMON if name in plan}
    parts: dict[str, dict[str, Any]] = {}
    for kind in (*_KINDS, "claims"):
        for entry in plan.get(kind, ()):
            part = parts.setdefault(entry["host"], {**common, "ranks": [], "services": [], "claims": []})
            part[kind].append(entry)
    for host, part in parts.items():
        groups = (group for group in plan.get("host_environments", ()) if host in group["hosts"])
        part["host_environments"] = [{**group, "hosts": [host]} for group in groups]
        part[_ELSEWHERE] = [kind for kind in _KINDS if len(part[kind]) < len(plan[kind])]
    return parts


def has(part: Mapping[str, Any], kind: str) -> bool:
    """Whether the plan that this is a part of has `ranks`, or `services`, on any host."""
    return bool(part[kind]) or has_elsewhere(part, kind)


def has_elsewhere(part: Mapping[str, Any], *kinds: str) -> bool:
    """Whether the plan that this is a part of has any of these on other hosts."""
    return not set(kinds or _KINDS).isdisjoint(part[_ELSEWHERE])


def read_plan(path: str, host: str) -> Plan:
    """Read a plan, or this host's part of one. Raises OSError, or ValueError when it is none."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    try:
        part = content if _ELSEWHERE in content else parts_of(content)[host]
        return Plan(int(part["attempt"]), part, os.path.dirname(path))
    except (KeyError, TypeError) as error:
        raise ValueError(f"it is no plan: {error!r}") from None


def attempt_of(path: str) -> int:
    """The attempt whose folder a plan lies in, `attempts/N/plan.json`; 0 when it lies elsewhere."""
    name = os.path.basename(os.path.dirname(path))
    return int(name) if name.isdecimal() else 0
