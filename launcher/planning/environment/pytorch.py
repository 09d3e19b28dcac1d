"""PyTorch's `env://` rendezvous, with the names that torchrun gives (PyTorch docs, elastic/run; Ascend/pytorch)."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.planning.environment.contract import Contract, Job
from launcher.planning.model import Target
from launcher.planning.placement import Seat


def _of_rank(job: Job, seat: Seat) -> Mapping[str, str]:
    return {
        "RANK": str(seat.rank),
        "LOCAL_RANK": str(seat.local_rank),
        "WORLD_SIZE": str(job.world_size),
        "LOCAL_WORLD_SIZE": str(len(seat.device_ids)),
        "GROUP_RANK": str(seat.host_index),
        "MASTER_ADDR": job.meeting_host,
        "MASTER_PORT": job.meeting_port,
        **_visible_devices(job, seat),
    }


def _visible_devices(job: Job, seat: Seat) -> Mapping[str, str]:
    """Make device LOCAL_RANK the rank's own where the devices of any host are not 0 to n-1.

    Scripts select `npu:LOCAL_RANK`, and the runtime numbers the visible devices from 0 (CANN environment variable
    reference, ASCEND_RT_VISIBLE_DEVICES: ascending ids, no spaces); ASCEND_DEVICE_ID counts within that list.
    """
    if job.target is Target.CPU or job.numbers_devices_from_0:
        return {}
    ids = ",".join(map(str, seat.device_ids))
    return {"ASCEND_RT_VISIBLE_DEVICES": ids, "ASCEND_DEVICE_ID": str(seat.local_rank)}


CONTRACT = Contract(
    owns=("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT"),
    of_rank=_of_rank,
)
