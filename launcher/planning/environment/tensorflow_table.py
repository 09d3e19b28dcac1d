"""TensorFlow 1.15 and 2.6 on Ascend with a rank table (hiascend.com, TensorFlow migration guide)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launcher.planning.environment.contract import Contract, Job
from launcher.planning.environment.variable import Variable
from launcher.planning.placement import Seat

SOURCE: Final = "hiascend.com, TensorFlow migration guide, distributed training"

VARIABLES: Final = (
    Variable("JOB_ID", "Name of the job, which npu_bridge asks for.", SOURCE),
    Variable("DEVICE_INDEX", "The rank, as older scripts ask for it.", SOURCE),
)
CM_NAMES: Final = ("CM_CHIEF_IP", "CM_CHIEF_PORT", "CM_CHIEF_DEVICE", "CM_WORKER_IP", "CM_WORKER_SIZE")


def shared(job: Job) -> Mapping[str, str]:
    """The job's name."""
    return {"JOB_ID": job.place.run}


def of_rank(_: Job, seat: Seat) -> Mapping[str, str]:
    """The rank's place in the job."""
    return {"DEVICE_INDEX": str(seat.rank)}


CONTRACT: Final = Contract(
    variables=VARIABLES,
    shared=shared,
    of_rank=of_rank,
    excludes={
        **dict.fromkeys(
            CM_NAMES, "it is of the form without a rank table, which must not meet this one (rendezvous: cm)"
        ),
        "TF_CONFIG": "ranks on NPUs meet through the rank table",
    },
)
