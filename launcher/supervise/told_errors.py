"""Errors on their way from one machine to another, as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from launcher import errors
from launcher.errors import InfrastructureError, NpuLaunchError


def told(error: NpuLaunchError) -> dict[str, str]:
    """An error as a JSON object."""
    return {
        "kind": next(kind.__name__ for kind in type(error).__mro__ if kind.__module__ == errors.__name__),
        "what": error.what,
        "where": error.where,
        "expected": error.expected,
        "remedy": error.remedy,
    }


def heard(said: Any, host: str = "") -> NpuLaunchError:
    """The error that a host told of, with the host; a text alone is what is wrong."""
    parts: Mapping[str, Any] = said if isinstance(said, Mapping) else {"what": said}
    where = ", ".join(filter(None, (host and f"host {host}", str(parts.get("where", "")))))
    kind = getattr(errors, str(parts.get("kind", "")), InfrastructureError)
    if not (isinstance(kind, type) and issubclass(kind, NpuLaunchError)):
        kind = InfrastructureError
    error: NpuLaunchError = kind(
        str(parts.get("what", "")),
        where=where,
        expected=str(parts.get("expected", "")),
        remedy=str(parts.get("remedy", "")),
    )
    return error
