"""The cluster that a command is about, when that is more than this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from launcher.specs import Cluster


def spread_cluster(path: Path | None) -> Cluster | None:
    """The cluster of a spec; None without one, and for one that is this machine alone. Raises SpecError."""
    if path is None:
        return None
    from launcher.specs import load_cluster
    from launcher.supervise.spread import is_spread

    cluster = load_cluster(path)
    return cluster if is_spread(cluster) else None
