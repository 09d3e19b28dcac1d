"""What the launcher says through the environment: the process's place among the ranks, and the device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.environment import count
from training.errors import RecipeError

DEVICE_TARGETS = ("Ascend", "CPU")
_NEEDED = ("RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


@dataclass(frozen=True)
class Place:
    rank: int
    local_rank: int
    ranks: int
    device_target: str | None  # None: nobody has said


def read_place(environ: Mapping[str, str]) -> Place:
    """The process's place as npu-launch, torchrun or nobody describes it; nobody means one process alone.

    Raises RecipeError for a value that cannot be meant, and if ranks are announced with no way to find them.
    """
    target = environ.get("DEVICE_TARGET")
    if target not in (None, *DEVICE_TARGETS):
        raise RecipeError(f"DEVICE_TARGET={target}: expected {' or '.join(DEVICE_TARGETS)}")
    ranks = count(environ, "WORLD_SIZE", default=1, lowest=1)
    missing = [name for name in _NEEDED if name not in environ]
    if ranks > 1 and missing:
        raise RecipeError(
            f"WORLD_SIZE={ranks}, but {', '.join(missing)} not set: start the script by npu-launch or torchrun, "
            "which set them, or unset WORLD_SIZE to train alone"
        )
    rank = count(environ, "RANK", default=0, lowest=0)
    if rank >= ranks:
        raise RecipeError(f"RANK={rank}: expected a number below WORLD_SIZE={ranks}")
    return Place(rank, count(environ, "LOCAL_RANK", default=0, lowest=0), ranks, target)
