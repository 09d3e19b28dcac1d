"""What the launcher says through the environment: device, group size, role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.errors import RecipeError

DEVICE_TARGETS = ("Ascend", "GPU", "CPU")


@dataclass(frozen=True)
class Environment:
    device_target: str
    device_id: int
    ranks: int
    is_scheduler: bool  # this process only keeps the addresses of a dynamic cluster's workers


def read_environment(environ: Mapping[str, str]) -> Environment:
    """The process's place as npu-launch, msrun or nobody describes it; nobody means one process on Ascend.

    Raises RecipeError for a value that cannot be meant, and if ranks are announced with no way to find them.
    """
    target = environ.get("DEVICE_TARGET", "Ascend")
    if target not in DEVICE_TARGETS:
        raise RecipeError(f"DEVICE_TARGET={target}: expected one of {', '.join(DEVICE_TARGETS)}")
    in_cluster = "MS_ROLE" in environ
    ranks = count(environ, "MS_WORKER_NUM" if in_cluster else "RANK_SIZE", default=1, lowest=1)
    if ranks > 1 and not in_cluster and "RANK_TABLE_FILE" not in environ:
        raise RecipeError(
            f"RANK_SIZE={ranks}, but nothing says where the other ranks are: expected MS_ROLE and MS_SCHED_HOST "
            "(as npu-launch and msrun set them) or, on Ascend, RANK_TABLE_FILE; unset RANK_SIZE to train alone"
        )
    return Environment(
        target, count(environ, "DEVICE_ID", default=0, lowest=0), ranks, environ.get("MS_ROLE") == "MS_SCHED"
    )


def count(environ: Mapping[str, str], name: str, default: int, lowest: int) -> int:
    """The number in a variable. Raises RecipeError if it is none, or too low."""
    text = environ.get(name, str(default))
    if not text.isdecimal() or int(text) < lowest:
        raise RecipeError(f"{name}={text}: expected an integer of at least {lowest}")
    return int(text)
