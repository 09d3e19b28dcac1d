"""Tells how far runs are, as far as a host knows: another's record may lack the end, or have that of an earlier life.

Run there as `python -m launcher.supervise.fleet.over RUN...`. It answers with one line of JSON, a `Known` for each run.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.runs.home import home
from launcher.runs.store import RunDirectory


class Known(BaseModel):
    """What one host has of a run: whether its record there ends, a supervisor lives there, and the record's bytes."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    ended: bool
    supervised: bool
    size: int


class Standing(Enum):
    """How far a run is; who supervises one that is `ENDING` has written its end, and is about to leave it."""

    ALIVE = auto()
    ENDING = auto()
    OVER = auto()


def standing(known: Sequence[Known]) -> Standing:
    """How far a run is by what hosts know of it: the longest record is the newest. Pure.

    One that is supervised anywhere is not over, whatever a record says: it may be about to go on.
    """
    longest = max((each.size for each in known), default=0)
    telling = [each for each in known if each.size == longest or each.supervised]
    if not telling or not all(each.ended for each in telling):
        return Standing.ALIVE
    return Standing.ENDING if any(each.supervised for each in known) else Standing.OVER


def known_here(run: RunDirectory) -> Known:
    """What this host has of a run; a record that cannot be read does not end."""
    ended, supervised, size = False, False, 0
    with suppress(NpuLaunchError, OSError, ValueError):
        supervised = run.is_supervised()
        if run.layout.events.exists():
            size = run.layout.events.stat().st_size
            ended = run.state().ended is not None
    return Known(ended=ended, supervised=supervised, size=size)


def known_of(host: str, answer: Any) -> dict[str, Known]:
    """What a host answered, by the run's id. Raises InfrastructureError when that is something else."""
    try:
        return TypeAdapter(dict[str, Known]).validate_python(answer)
    except ValidationError as error:
        raise InfrastructureError(
            f"what it knows of runs is not understood: {error.errors()[0]['msg']}",
            where=f"host {host}",
            expected="npu-launch of this version there",
            remedy="npu-launch up CLUSTER brings it there",
        ) from None


def main() -> None:
    """Entry point: RUN..."""
    runs = [RunDirectory(home() / "runs" / name) for name in sys.argv[1:]]
    print(json.dumps({run.id: known_here(run).model_dump() for run in runs}))


if __name__ == "__main__":
    main()
