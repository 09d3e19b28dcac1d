"""The whole environment of a process: inherited, changed by the host's set_env.sh, and the process's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def whole_environment(
    inherited: Mapping[str, str], plan: Mapping[str, Any], process: Mapping[str, Any]
) -> dict[str, str]:
    """What a process gets, of what this shim has itself; a later layer wins.

    Of path lists that set_env.sh makes longer, parts that are inherited already are not repeated.
    """
    unwanted = frozenset(plan["unset"])
    environment = {name: value for name, value in inherited.items() if name not in unwanted}
    for changes in plan.get("host_environments", ()):
        if process["host"] in changes["hosts"]:
            environment.update(changes["variables"])
            for name, parts in changes["prepended"].items():
                environment[name] = _joined(parts, environment.get(name, ""))
            for name, parts in changes["appended"].items():
                environment[name] = _joined(environment.get(name, ""), parts)
    environment.update(process["env"])
    return environment


def _joined(first: str, second: str) -> str:
    """Two path lists as one."""
    before = first.split(":") if first else []
    return ":".join([*before, *(part for part in second.split(":") if part and part not in before)])
