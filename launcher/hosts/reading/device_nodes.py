"""Reads which NPUs a machine shows to its processes: `/dev/davinciN`, N being the physical id."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_DAVINCI: Final = re.compile(r"davinci(\d{1,4})", re.ASCII)


def machine_root() -> Path:
    """The folder below which the machine's own files lie: NPU_LAUNCH_ROOT, where a container mounts its host's root."""
    return Path(os.environ.get("NPU_LAUNCH_ROOT") or "/")


def node_ids(names: Iterable[str]) -> tuple[int, ...]:
    """The ids in names or paths of device nodes, in order; `davinci_manager` and others are none."""
    matches = (_DAVINCI.fullmatch(name.rpartition("/")[2]) for name in names)
    return tuple(sorted({int(match[1]) for match in matches if match}))


def device_ids(root: Path) -> tuple[int, ...]:
    """Physical ids of the NPUs whose nodes are below `root`/dev."""
    try:
        return node_ids(path.name for path in (root / "dev").iterdir())
    except OSError:
        return ()
