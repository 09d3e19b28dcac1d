"""TensorFlow: on Ascend by a rank table or by a chief (hiascend.com, TensorFlow migration guide), on CPU by TF_CONFIG.

The form with a chief, CM_*, is for Ascend 910 and 910B alone, and must not meet RANK_TABLE_FILE, RANK_ID or RANK_SIZE.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from launcher.errors import PlanError
from launcher.planning.environment.contract import Contract, Job
from launcher.planning.environment.values import whole
from launcher.planning.environment.variable import Variable
from launcher.planning.placement import Seat
from launcher.planning.ranktable.addresses import parse_ip

_SOURCE: Final = "hiascend.com, TensorFlow migration guide, distributed training"

_OF_EVERY_JOB: Final = (
    Variable("JOB_ID", "Name of the job, which npu_bridge asks for.", _SOURCE),
    Variable("DEVICE_INDEX", "The rank, as older scripts ask for it.", _SOURCE),
)


def _name(job: Job) -> Mapping[str, str]:
    return {"JOB_ID": job.place.run}


def _index(_: Job, seat: Seat) -> Mapping[str, str]:
    return {"DEVICE_INDEX": str(seat.rank)}


# -- a chief -----------------------------------------------------------------------------------------------------------

_MOST_WITH_CHIEF: Final = 32768
_OF_CHIEF: Final = (
    Variable("CM_CHIEF_IP", "Address of the host of rank 0.", _SOURCE),
    Variable("CM_CHIEF_PORT", "Port on which the chief listens.", _SOURCE, whole(1, 65535, "a port")),
    Variable("CM_CHIEF_DEVICE", "Device of the chief, as its process numbers it.", _SOURCE),
    Variable("CM_WORKER_SIZE", "Devices of the job.", _SOURCE, whole(0, _MOST_WITH_CHIEF)),
    Variable("CM_WORKER_IP", "Address of this rank's host.", _SOURCE),
)


def _chief(job: Job) -> Mapping[str, str]:
    if job.world_size > _MOST_WITH_CHIEF:
        raise PlanError(
            f"{job.world_size} ranks, but CM_WORKER_SIZE goes to {_MOST_WITH_CHIEF}", expected="rendezvous: rank_table"
        )
    return {
        **_name(job),
        "CM_CHIEF_IP": _address(job, job.seats[0]),
        "CM_CHIEF_PORT": job.meeting_port,
        "CM_CHIEF_DEVICE": str(job.logical_id(job.seats[0].host.name, job.seats[0].device.id)),
        "CM_WORKER_SIZE": str(job.world_size),
    }


def _worker(job: Job, seat: Seat) -> Mapping[str, str]:
    return {**_index(job, seat), "CM_WORKER_IP": _address(job, seat)}


def _address(job: Job, seat: Seat) -> str:
    """The address of a rank's host; on one host alone, that on which its ranks meet."""
    address = job.meeting_host if job.host_count == 1 else job.ip(seat.host)
    if parse_ip(address) is None:
        raise PlanError(
            f"host {seat.host.name} has the address {address}, but TensorFlow's CM_CHIEF_IP and CM_WORKER_IP are IPs",
            remedy="write the host's IP as its address in the cluster, or set rendezvous to rank_table",
        )
    return address


# -- TF_CONFIG ---------------------------------------------------------------------------------------------------------

_LAST_PORT: Final = 65535
_MOST_ON_CPU: Final = 1024  # ranks: each has a TF_CONFIG of 20 kB then, and Linux takes 128 kB for a variable
_TF_CONFIG: Final = Variable(
    "TF_CONFIG",
    "All workers' addresses, and which of them this rank is.",
    "TensorFlow guide, distributed training, setting up TF_CONFIG",
)


def _name_on_cpu(job: Job) -> Mapping[str, str]:
    """A worker listens on the port on which ranks meet, plus its place on its host."""
    if job.world_size > _MOST_ON_CPU:
        raise PlanError(
            f"{job.world_size} TensorFlow ranks on CPU, each of which has the addresses of all in its TF_CONFIG",
            expected=f"{_MOST_ON_CPU} ranks at the most",
        )
    last = job.place.scheduler_port + max(seat.local_rank for seat in job.seats)
    if job.world_size > 1 and last > _LAST_PORT:
        raise PlanError(
            f"ranks of a host would listen on ports up to {last}",
            expected=f"ports up to {_LAST_PORT}: each rank has one, from scheduler_port on",
            remedy="set scheduler_port to a smaller one",
        )
    return _name(job)


def _worker_on_cpu(job: Job, seat: Seat) -> Mapping[str, str]:
    """One rank alone has nobody to find."""
    own = _index(job, seat)
    if job.world_size == 1:
        return own
    config = {"cluster": {"worker": job.endpoints}, "task": {"type": "worker", "index": seat.rank}}
    return {**own, "TF_CONFIG": json.dumps(config)}


# -- the contracts -----------------------------------------------------------------------------------------------------


def _without_chief(reason: str) -> Mapping[str, str]:
    return {variable.name: reason for variable in _OF_CHIEF}


RANK_TABLE: Final = Contract(
    variables=_OF_EVERY_JOB,
    shared=_name,
    of_rank=_index,
    excludes={
        **_without_chief("it is of the form without a rank table, which must not meet this one (rendezvous: cm)"),
        "TF_CONFIG": "ranks on NPUs meet through the rank table",
    },
)
CM: Final = Contract(
    variables=(*_OF_EVERY_JOB, *_OF_CHIEF),
    shared=_chief,
    of_rank=_worker,
    excludes={"TF_CONFIG": "ranks meet at the chief that the CM_* variables name"},
    has_identity=False,
)
ON_CPU: Final = Contract(
    variables=(*_OF_EVERY_JOB, _TF_CONFIG),
    shared=_name_on_cpu,
    of_rank=_worker_on_cpu,
    excludes=_without_chief("ranks on CPU have no devices to meet by"),
)
