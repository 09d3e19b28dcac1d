"""Who a rank is and where its device is: what every rank is told, whatever it trains with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launcher.planning.environment.contract import Contract, Job
from launcher.planning.environment.variable import Variable
from launcher.planning.placement import Seat

_OURS: Final = "npu-launch"
_MINDSPORE: Final = "mindspore-ai/docs, rank_table.md and env_var_list"
_CANN: Final = "CANN environment variable reference (hiascend.com)"

# Devices are the cluster's to say, and the table is the plan's.
OWNED: Final = (
    Variable("NPU_LAUNCH_RUN", "The run's id.", _OURS),
    Variable("NPU_LAUNCH_ATTEMPT", "The attempt, from 1.", _OURS),
    Variable("NPU_LAUNCH_RANK", "The rank, from 0.", _OURS),
    Variable("DEVICE_TARGET", "What ranks compute on, as MindSpore's device_target spells it.", _OURS),
    Variable(
        "DEVICE_ID",
        "The device as the process numbers it: its place among the NPUs that it has, or that are in "
        "ASCEND_RT_VISIBLE_DEVICES.",
        _MINDSPORE,
    ),
    Variable("ASCEND_DEVICE_ID", "The same, for TensorFlow and CANN's own programs.", _CANN),
    Variable("ASCEND_PROCESS_LOG_PATH", "Folder of CANN's logs of this rank alone.", _CANN, default="$HOME/ascend/log"),
    Variable("RANK_ID", "The rank, from 0.", _MINDSPORE),
    Variable("RANK_SIZE", "The number of ranks.", _MINDSPORE),
    Variable("RANK_TABLE_FILE", "HCCL's description of all ranks and their devices.", _MINDSPORE),
    Variable("MINDSPORE_HCCL_CONFIG_PATH", "The old name of RANK_TABLE_FILE.", "mindspore-ai/docs, env_var_list"),
    Variable(
        "ASCEND_RT_VISIBLE_DEVICES",
        "The NPUs that the process sees, by their place among those that it has, ascending; it numbers them anew.",
        _CANN,
    ),
)


def service_identity(job: Job) -> Mapping[str, str]:
    """What every process of the job is told, also one that is no rank."""
    return {
        "NPU_LAUNCH_RUN": job.place.run,
        "NPU_LAUNCH_ATTEMPT": str(job.place.attempt),
        "DEVICE_TARGET": job.target.value,
    }


def shared_identity(job: Job, contract: Contract) -> Mapping[str, str]:
    """What all ranks are told alike."""
    variables = dict(service_identity(job))
    if contract.has_identity:
        variables["RANK_SIZE"] = str(job.world_size)
        if job.rank_table_path is not None:
            variables["RANK_TABLE_FILE"] = job.rank_table_path
    return variables


def rank_identity(job: Job, contract: Contract, seat: Seat, cann_log: str) -> dict[str, str]:
    """What one rank is told.

    With `renumbers_devices`, where the devices of any host in use are not 0 to n-1, each rank sees those of its host
    that the job has, and its own by its place among them: scripts select `npu:LOCAL_RANK`. The list is ascending and
    has no spaces, for what follows the first invalid character is dropped (CANN environment variable reference,
    ASCEND_RT_VISIBLE_DEVICES). The rank table has physical ids always.
    """
    rank = str(seat.rank)
    device = str(job.logical_id(seat.host.name, seat.device.id))
    variables = {"NPU_LAUNCH_RANK": rank}
    if contract.has_identity:
        variables["RANK_ID"] = rank
    if contract.renumbers_devices and job.rank_table_path is not None and not job.numbers_devices_from_0:
        visible = (job.logical_id(seat.host.name, number) for number in seat.device_ids)
        variables["ASCEND_RT_VISIBLE_DEVICES"] = ",".join(map(str, visible))
        device = str(seat.device_ids.index(seat.device.id))
    variables["DEVICE_ID"] = device
    variables["ASCEND_DEVICE_ID"] = device
    variables["ASCEND_PROCESS_LOG_PATH"] = cann_log
    return variables
