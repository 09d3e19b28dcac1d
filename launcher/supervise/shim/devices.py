"""Tells who has a device open."""

from __future__ import annotations

import os
from collections.abc import Collection


def holders(nodes: Collection[str]) -> dict[str, int]:
    """Device node to a process that has it open, for those of `nodes` that one has.

    A process of another user is seen only by root. A node that does not exist is held by nobody.
    """
    found: dict[str, int] = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            descriptors = os.listdir(f"/proc/{name}/fd")
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                target = os.readlink(f"/proc/{name}/fd/{descriptor}")
            except OSError:
                continue
            if target in nodes:
                found[target] = int(name)
    return found
