"""Which rank this is and how ranks meet, as npu-launch, a shell script or nobody describes it.

Sources: facts/env.md, sections 1 and 7; TF Adapter (gitcode.com/cann/tensorflow): NPUEstimator asks for JOB_ID, and the
adapter refuses CM_* beside a rank table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from training.environment import count
from training.errors import RecipeError

RANK_TABLE, CHIEF, ALONE = "rank table", "chief", "alone"

_OF_A_CHIEF = (
    *("CM_CHIEF_IP", "CM_CHIEF_PORT", "CM_CHIEF_DEVICE", "CM_WORKER_SIZE", "CM_WORKER_IP"),
    *("DEVICE_INDEX", "ASCEND_DEVICE_ID"),
)


@dataclass(frozen=True)
class Place:
    """A process among those that train together."""

    on_npu: bool
    rank: int
    ranks: int
    meeting: str  # RANK_TABLE, CHIEF or ALONE


def read_place(environ: Mapping[str, str], adapter_is_installed: bool) -> Place:
    """The place that the environment describes. Where it names no device, an NPU is used if there is an adapter for it.

    Raises RecipeError when ranks could not find each other, or would not be the ranks they take themselves for.
    """
    target = environ.get("DEVICE_TARGET", "Ascend" if adapter_is_installed else "CPU")
    if target not in ("Ascend", "CPU"):
        raise RecipeError(f"DEVICE_TARGET={target}: expected Ascend or CPU")
    on_npu = target == "Ascend"
    if "CM_CHIEF_IP" in environ:
        place = _at_a_chief(environ, on_npu)
    else:
        place = _of_a_rank_table(environ) if on_npu else _on_cpu(environ)
    if place.rank >= place.ranks:
        raise RecipeError(f"this is rank {place.rank} of {place.ranks}: expected ranks from 0 to {place.ranks - 1}")
    if on_npu:
        _require(environ, "JOB_ID", "NPUEstimator does not start without; export JOB_ID=10087, any name")
        if environ.get("TF_CONFIG"):
            raise RecipeError("TF_CONFIG is set, which NPURunConfig takes for parameter servers: unset it")
    return place


def _at_a_chief(environ: Mapping[str, str], on_npu: bool) -> Place:
    contradicting = [name for name in ("RANK_TABLE_FILE", "RANK_ID", "RANK_SIZE") if name in environ]
    if contradicting or not on_npu:
        reason = f"{' and '.join(contradicting)} set too" if contradicting else "DEVICE_TARGET is CPU"
        raise RecipeError(f"CM_CHIEF_IP={environ['CM_CHIEF_IP']}, but {reason}: unset the CM_* variables or the others")
    for name in _OF_A_CHIEF:
        _require(environ, name, "ranks that meet at a chief need it")
    # RANK_ID must not be set in this form, and HCCL's own number is known only when the session is there.
    rank = count(environ, "DEVICE_INDEX", default=0, lowest=0)
    return Place(True, rank, count(environ, "CM_WORKER_SIZE", default=1, lowest=1), CHIEF)


def _of_a_rank_table(environ: Mapping[str, str]) -> Place:
    ranks = count(environ, "RANK_SIZE", default=1, lowest=1)
    if ranks > 1:
        _require(environ, "RANK_TABLE_FILE", f"it says where all of RANK_SIZE={ranks} are; unset both to train alone")
        _require(environ, "RANK_ID", f"it says which of RANK_SIZE={ranks} this is")
        _require(environ, "ASCEND_DEVICE_ID", "each of several ranks would take device 0")
    rank = count(environ, "RANK_ID", default=0, lowest=0)
    return Place(True, rank, ranks, RANK_TABLE if environ.get("RANK_TABLE_FILE") else ALONE)


def _on_cpu(environ: Mapping[str, str]) -> Place:
    """Alone: it is the adapter that averages gradients over ranks."""
    ranks = count(environ, "RANK_SIZE", default=1, lowest=1)
    if ranks > 1:
        raise RecipeError(f"RANK_SIZE={ranks} on the CPU, where this script trains as one rank: set ranks to 1")
    return Place(False, 0, 1, ALONE)


def _require(environ: Mapping[str, str], name: str, reason: str) -> None:
    if not environ.get(name):
        raise RecipeError(f"{name} is not set: {reason}")
