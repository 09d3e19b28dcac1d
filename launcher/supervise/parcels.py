"""What hosts other than the home read of an attempt, and only the home has: files of the run, and what ranks use."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from launcher.runs.home import home
from launcher.runs.store import RunDirectory
from launcher.supervise.shim.plans import parts_of


class Parcel(NamedTuple):
    """For one host: files of the run's directory by absolute path, and paths of what its ranks read beside them."""

    files: Mapping[str, bytes]
    belongings: tuple[str, ...]


class Parcels:
    """One run's, of its latest attempt alone: a plan is read and divided once, however many hosts it is for."""

    def __init__(self, run: RunDirectory) -> None:
        self._run = run
        self._packing: tuple[int, asyncio.Task[dict[str, Parcel]]] | None = None

    async def of(self, attempt: int, host: str) -> Parcel:
        """What a host gets of an attempt. Raises OSError and ValueError."""
        if self._packing is None or self._packing[0] != attempt:
            self._packing = attempt, asyncio.create_task(asyncio.to_thread(pack, self._run, attempt))
        _, packed = self._packing
        try:
            return (await asyncio.shield(packed))[host]
        except OSError:
            self._packing = None  # it may be there the next time
            raise


def pack(run: RunDirectory, attempt: int) -> dict[str, Parcel]:
    """What each host gets of an attempt: its part of the plan, and the rank table if there is one. Raises OSError."""
    layout = run.layout.attempt(attempt)
    parts = parts_of(json.loads(layout.plan.read_bytes()))
    common = {str(layout.rank_table): layout.rank_table.read_bytes()} if layout.rank_table.exists() else {}
    return {
        host: Parcel({str(layout.plan): json.dumps(part).encode(), **common}, belongings(part))
        for host, part in parts.items()
    }


def belongings(part: Mapping[str, Any]) -> tuple[str, ...]:
    """The files and folders that the ranks of a plan read: a snapshot of code, and the checkpoints they resume from."""
    snapshots = f"{home()}/code/"
    code = {
        snapshots + word.removeprefix(snapshots).partition("/")[0]
        for process in (*part["ranks"], *part["services"])
        for word in process["argv"]
        if word.startswith(snapshots)
    }
    checkpoints = dict.fromkeys((part["resume_from"], *(rank.get("resume_from") for rank in part["ranks"])))
    return (*sorted(code), *(path for path in checkpoints if path is not None))
