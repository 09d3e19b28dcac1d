"""Reads which NPUs a machine shows to its processes: `/dev/davinciN`, N being the physical id."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

_DAVINCI: Final = re.compile(r"davinci(\d{1,4})", re.ASCII)


def node_ids(names: Iterable[str]) -> tuple[int, ...]:
    """The ids in names or paths of device nodes, in order; `davinci_manager` and others are none."""
    matches = (_DAVINCI.fullmatch(name.rpartition("/")[2]) for name in names)
    return tuple(sorted({int(match[1]) for match in matches if match}))
