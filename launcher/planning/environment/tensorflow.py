"""TensorFlow on Ascend with a rank table (hiascend, TensorFlow migration guide: distributed training)."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.planning.environment.contract import Contract, Job
from launcher.planning.placement import Seat


def _of_rank(job: Job, seat: Seat) -> Mapping[str, str]:
    return {"JOB_ID": job.place.run, "DEVICE_INDEX": str(seat.rank)}


# CM_* is the form without a rank table, and must not meet RANK_TABLE_FILE.
CONTRACT = Contract(
    owns=(
        *("JOB_ID", "DEVICE_INDEX"),
        *("CM_CHIEF_IP", "CM_CHIEF_PORT", "CM_CHIEF_DEVICE", "CM_WORKER_IP", "CM_WORKER_SIZE"),
    ),
    of_rank=_of_rank,
)
