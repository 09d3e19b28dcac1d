"""TensorFlow on CPU: workers that find each other through TF_CONFIG (TensorFlow guide, distributed training).

A worker listens on the port on which ranks meet, plus its place on its host.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from launcher.planning.environment import tensorflow_table
from launcher.planning.environment.contract import Contract, Job
from launcher.planning.environment.variable import Variable
from launcher.planning.placement import Seat

_TF_CONFIG: Final = Variable(
    "TF_CONFIG",
    "All workers' addresses, and which of them this rank is.",
    "TensorFlow guide, distributed training, setting up TF_CONFIG",
)


def _of_rank(job: Job, seat: Seat) -> Mapping[str, str]:
    """One rank alone has nobody to find."""
    own = tensorflow_table.of_rank(job, seat)
    if job.world_size == 1:
        return own
    config = {"cluster": {"worker": job.endpoints}, "task": {"type": "worker", "index": seat.rank}}
    return {**own, "TF_CONFIG": json.dumps(config)}


CONTRACT: Final = Contract(
    variables=(*tensorflow_table.VARIABLES, _TF_CONFIG),
    shared=tensorflow_table.shared,
    of_rank=_of_rank,
    excludes=dict.fromkeys(tensorflow_table.CM_NAMES, "ranks on CPU have no devices to meet by"),
)
