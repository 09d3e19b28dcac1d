"""TensorFlow on CPU: workers that find each other through TF_CONFIG (TensorFlow guide, distributed training).

A worker listens on the port on which ranks meet, plus its place on its host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from launcher.errors import PlanError
from launcher.planning.environment import tensorflow_table
from launcher.planning.environment.contract import Contract, Job
from launcher.planning.environment.variable import Variable
from launcher.planning.placement import Seat

_LAST_PORT: Final = 65535
_MOST: Final = 1024  # ranks: TF_CONFIG of as many has 20 kB, on each of them, and Linux takes 128 kB for a variable
_TF_CONFIG: Final = Variable(
    "TF_CONFIG",
    "All workers' addresses, and which of them this rank is.",
    "TensorFlow guide, distributed training, setting up TF_CONFIG",
)


def _shared(job: Job) -> Mapping[str, str]:
    if job.world_size > _MOST:
        raise PlanError(
            f"{job.world_size} TensorFlow ranks on CPU, each of which has the addresses of all in its TF_CONFIG",
            expected=f"{_MOST} ranks at the most",
        )
    last = job.place.scheduler_port + max(seat.local_rank for seat in job.seats)
    if job.world_size > 1 and last > _LAST_PORT:
        raise PlanError(
            f"ranks of a host would listen on ports up to {last}",
            expected=f"ports up to {_LAST_PORT}: each rank has one, from scheduler_port on",
            remedy="set scheduler_port to a smaller one",
        )
    return tensorflow_table.shared(job)


def _of_rank(job: Job, seat: Seat) -> Mapping[str, str]:
    """One rank alone has nobody to find."""
    own = tensorflow_table.of_rank(job, seat)
    if job.world_size == 1:
        return own
    config = {"cluster": {"worker": job.endpoints}, "task": {"type": "worker", "index": seat.rank}}
    return {**own, "TF_CONFIG": json.dumps(config)}


CONTRACT: Final = Contract(
    variables=(*tensorflow_table.VARIABLES, _TF_CONFIG),
    shared=_shared,
    of_rank=_of_rank,
    excludes=dict.fromkeys(tensorflow_table.CM_NAMES, "ranks on CPU have no devices to meet by"),
)
