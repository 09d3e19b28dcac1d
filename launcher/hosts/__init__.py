"""What hosts there are, and what they are like.

The names are loaded when they are first used: most modules of this package are small, and these two are not.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from launcher.hosts.preflight.here import check_hosts
    from launcher.hosts.this_machine import resolve_cluster

_HOMES = {
    "check_hosts": "launcher.hosts.preflight.here",
    "resolve_cluster": "launcher.hosts.this_machine",
}

__all__ = ["check_hosts", "resolve_cluster"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'launcher.hosts' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
