"""TensorFlow 1.15 and 2.6 on Ascend without a rank table: ranks meet at a chief (hiascend.com, CM_* variables).

Only Ascend 910 and 910B know this form, and it must not meet RANK_TABLE_FILE, RANK_ID or RANK_SIZE.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Final

from launcher.errors import PlanError
from launcher.planning.environment import tensorflow_table
from launcher.planning.environment.contract import Contract, Job
from launcher.planning.environment.values import whole
from launcher.planning.environment.variable import Variable
from launcher.planning.placement import Seat

_SOURCE: Final = tensorflow_table.SOURCE

_VARIABLES: Final = (
    *tensorflow_table.VARIABLES,
    Variable("CM_CHIEF_IP", "Address of the host of rank 0.", _SOURCE),
    Variable("CM_CHIEF_PORT", "Port on which the chief listens.", _SOURCE, whole(1, 65535, "a port")),
    Variable("CM_CHIEF_DEVICE", "Device of the chief, as its process numbers it.", _SOURCE),
    Variable("CM_WORKER_SIZE", "Devices of the job.", _SOURCE, whole(0, 32768)),
    Variable("CM_WORKER_IP", "Address of this rank's host.", _SOURCE),
)
_MOST: Final = 32768


def _shared(job: Job) -> Mapping[str, str]:
    if job.world_size > _MOST:
        raise PlanError(
            f"{job.world_size} ranks, but CM_WORKER_SIZE goes to {_MOST}", expected="rendezvous: rank_table"
        )
    return {
        **tensorflow_table.shared(job),
        "CM_CHIEF_IP": _address(job, job.seats[0]),
        "CM_CHIEF_PORT": job.meeting_port,
        "CM_CHIEF_DEVICE": str(job.seats[0].device.id),
        "CM_WORKER_SIZE": str(job.world_size),
    }


def _of_rank(job: Job, seat: Seat) -> Mapping[str, str]:
    return {**tensorflow_table.of_rank(job, seat), "CM_WORKER_IP": _address(job, seat)}


def _address(job: Job, seat: Seat) -> str:
    """The address of a rank's host; on one host alone, that on which its ranks meet."""
    address = job.meeting_host if job.host_count == 1 else seat.host.address
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise PlanError(
            f"host {seat.host.name} has the address {address}, but TensorFlow's CM_CHIEF_IP and CM_WORKER_IP are IPs",
            remedy="write the host's IP as its address in the cluster, or set rendezvous to rank_table",
        ) from None
    return address


CONTRACT: Final = Contract(
    variables=_VARIABLES,
    shared=_shared,
    of_rank=_of_rank,
    excludes={"TF_CONFIG": "ranks meet at the chief that the CM_* variables name"},
    has_identity=False,
)
