"""MindSpore's dynamic cluster (mindspore-ai/docs, dynamic_cluster.md)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

from launcher.errors import PlanError
from launcher.planning.environment.contract import Contract, Job, Service
from launcher.planning.placement import Seat

# The scheduler needs no training script: it blocks in `init` until the cluster ends.
_SCHEDULER = "from mindspore.communication import init; init()"


def _of_rank(job: Job, seat: Seat) -> Mapping[str, str]:
    """One rank alone has nobody to meet, and runs without a cluster."""
    if job.world_size == 1:
        return {}
    variables = {"MS_ROLE": "MS_WORKER", "MS_NODE_ID": str(seat.rank), **_meeting(job)}
    if ":" in job.meeting_host:  # with IPv6, workers cannot find their own address
        variables["MS_WORKER_IP"] = seat.host.address
    return variables


def _services(job: Job) -> tuple[Service, ...]:
    if job.world_size == 1:
        return ()
    return (Service("scheduler", _SCHEDULER, {"MS_ROLE": "MS_SCHED", **_meeting(job)}),)


def _meeting(job: Job) -> dict[str, str]:
    try:
        ipaddress.ip_address(job.meeting_host)
    except ValueError:
        raise PlanError(
            f"host {job.seats[0].host.name} has the address {job.meeting_host}, but MindSpore's scheduler needs an IP",
            expected="MS_SCHED_HOST as an IPv4 address, or IPv6 on Ascend",
            remedy="write the host's IP as its address in the cluster",
        ) from None
    return {
        "MS_SCHED_HOST": job.meeting_host,
        "MS_SCHED_PORT": job.meeting_port,
        "MS_WORKER_NUM": str(job.world_size),
    }


CONTRACT = Contract(
    owns=(
        *("MS_ROLE", "MS_NODE_ID", "MS_SCHED_HOST", "MS_SCHED_PORT", "MS_WORKER_NUM", "MS_SERVER_NUM"),
        "MS_WORKER_IP",
    ),
    of_rank=_of_rank,
    services=_services,
)
