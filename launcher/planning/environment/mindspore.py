"""MindSpore: workers that register with a scheduler, or with a rank table and no scheduler.

The first is its dynamic cluster (mindspore-ai/docs, dynamic_cluster.md). With a table, ranks need no more than every
rank is told: RANK_TABLE_FILE, RANK_ID, RANK_SIZE and DEVICE_ID (rank_table.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launcher.errors import PlanError
from launcher.planning.environment.contract import Contract, Job, Service
from launcher.planning.environment.hccl import of_root_info
from launcher.planning.environment.values import Values, is_whole, one_of, whole
from launcher.planning.environment.variable import Variable
from launcher.planning.model import Target
from launcher.planning.placement import Seat
from launcher.planning.ranktable.addresses import parse_ip

_SOURCE: Final = "mindspore-ai/docs, dynamic_cluster.md"
_COUNT: Final = Values("a whole number above 0", lambda text: is_whole(text) and int(text) > 0)

_VARIABLES: Final = (
    Variable(
        "MS_ROLE",
        "Part in the cluster; one process alone is the scheduler.",
        _SOURCE,
        one_of("MS_SCHED", "MS_WORKER", "MS_PSERVER"),
    ),
    Variable("MS_SCHED_HOST", "Address of the scheduler, which runs on the host of rank 0.", _SOURCE),
    Variable("MS_SCHED_PORT", "Port of the scheduler.", _SOURCE, whole(1024, 65535, "a port")),
    Variable("MS_WORKER_NUM", "Workers that the scheduler waits for.", _SOURCE, _COUNT),
    Variable("MS_NODE_ID", "Name of a worker; a number is its rank.", _SOURCE, default="drawn"),
    Variable(
        "MS_WORKER_IP",
        "A worker's own address, by which the others reach it.",
        _SOURCE,
        default="that of the first interface",
    ),
)

# The scheduler needs no training script: it blocks in `init` until the cluster ends.
_SCHEDULER: Final = "from mindspore.communication import init; init()"

_SMALL_CLUSTER: Final = 256  # ranks; MindSpore itself polls large clusters more slowly (cluster/topology/constants.h)


def _of_rank(job: Job, seat: Seat) -> Mapping[str, str]:
    if job.world_size == 1:
        return {}
    own = {"MS_NODE_ID": str(seat.rank)}
    if ":" in job.meeting_host or job.knows_interfaces:
        own["MS_WORKER_IP"] = _ip(job.target, seat.host.name, job.ip(seat.host))
    return own


def _shared(job: Job) -> Mapping[str, str]:
    """One rank alone has nobody to meet, and runs without a cluster."""
    return {} if job.world_size == 1 else {"MS_ROLE": "MS_WORKER", **_meeting(job)}


def _services(job: Job) -> tuple[Service, ...]:
    if job.world_size == 1:
        return ()
    return (Service("scheduler", _SCHEDULER, {"MS_ROLE": "MS_SCHED", **_meeting(job)}),)


def _defaults(job: Job) -> Mapping[str, str]:
    """A heartbeat every second, where MindSpore's default is 3 to 5 s: only its answer tells that all ranks are there.

    With the default a rank learns it up to 5 s after the last one came. Then it asks for the others' addresses, and for
    one that is not written yet again 3 s later: so all ranks wait for the last to learn it. A large cluster keeps the
    default, which is there to spare the scheduler.
    """
    if not 1 < job.world_size <= _SMALL_CLUSTER:
        return {}
    return {"MS_RETRY_INTERVAL_LOWER": "1", "MS_RETRY_INTERVAL_UPPER": "1"}


def _meeting(job: Job) -> dict[str, str]:
    return {
        "MS_SCHED_HOST": _ip(job.target, job.seats[0].host.name, job.meeting_host),
        "MS_SCHED_PORT": job.meeting_port,
        "MS_WORKER_NUM": str(job.world_size),
    }


def _ip(target: Target, host: str, address: str) -> str:
    """An address that the scheduler and its workers can use: IPv6 is for Ascend alone."""
    ip = parse_ip(address)
    if ip is not None and (ip.version == 4 or target is Target.ASCEND):
        return address
    raise PlanError(
        f"host {host} has the address {address}, but MindSpore's scheduler needs an IP",
        expected="MS_SCHED_HOST as an IPv4 address, or IPv6 on Ascend",
        remedy="write the host's IP as its address in the cluster",
    )


DYNAMIC_CLUSTER: Final = Contract(
    variables=_VARIABLES,
    shared=_shared,
    of_rank=_of_rank,
    defaults=_defaults,
    of_host=of_root_info,
    services=_services,
)
RANK_TABLE: Final = Contract(
    excludes=dict.fromkeys(
        (variable.name for variable in _VARIABLES),
        "it is of the dynamic cluster, and the recipe says rendezvous: rank_table",
    ),
)
