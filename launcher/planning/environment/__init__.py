"""The variables of every process of a job: the common ones here, and a module per framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launcher.errors import PlanError
from launcher.planning.environment import mindspore, plain, pytorch, tensorflow
from launcher.planning.environment.contract import Contract, Job, Service
from launcher.planning.layout import AttemptLayout
from launcher.planning.model import Target
from launcher.planning.placement import Seat
from launcher.specs import Framework, Recipe

__all__ = ["CONTRACTS", "UNSET", "Job", "Service", "common_variables", "rank_variables", "refuse_owned"]

CONTRACTS: Final[Mapping[Framework, Contract]] = {
    Framework.MINDSPORE: mindspore.CONTRACT,
    Framework.PYTORCH: pytorch.CONTRACT,
    Framework.TENSORFLOW: tensorflow.CONTRACT,
    Framework.PLAIN: plain.CONTRACT,
}

# MINDSPORE_HCCL_CONFIG_PATH is the old name of RANK_TABLE_FILE (mindspore-ai/docs, env_var_list). Devices are the
# cluster's to say, and ASCEND_RT_VISIBLE_DEVICES would renumber them.
_OWNED: Final = (
    *("NPU_LAUNCH_RUN", "NPU_LAUNCH_ATTEMPT", "NPU_LAUNCH_RANK"),
    *("RANK_ID", "RANK_SIZE", "DEVICE_ID", "ASCEND_DEVICE_ID", "ASCEND_RT_VISIBLE_DEVICES", "DEVICE_TARGET"),
    *("RANK_TABLE_FILE", "MINDSPORE_HCCL_CONFIG_PATH", "ASCEND_PROCESS_LOG_PATH"),
)

# What other launchers leave in a shell. Frameworks read the rank from there (MindSpore's log.py asks
# OMPI_COMM_WORLD_RANK before MS_NODE_ID), and a process that Ray started inherits one thread.
_LEFT_BY_OTHERS: Final = (
    *("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    *("PMI_RANK", "PMI_SIZE", "PMIX_RANK"),
    *("ROLE_RANK", "ROLE_WORLD_SIZE", "GROUP_WORLD_SIZE", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"),
    *("TORCHELASTIC_MAX_RESTARTS", "TORCHELASTIC_USE_AGENT_STORE", "MSRUN_BIND_FILE", "MSRUN_BIND_FILE_HASH"),
    *("RAY_ADDRESS", "RAY_JOB_ID", "RAY_RAYLET_PID", "RAY_NODE_ID", "RAY_CLIENT_MODE"),
    "OMP_NUM_THREADS",
)

UNSET: Final = tuple(
    sorted({*_OWNED, *_LEFT_BY_OTHERS, *(name for contract in CONTRACTS.values() for name in contract.owns)})
)


def refuse_owned(recipe: Recipe) -> None:
    """Raise PlanError when the recipe's `env` sets what only the plan can know."""
    owned = {*_OWNED, *CONTRACTS[recipe.framework].owns}
    names = [name for name in recipe.env if name in owned]
    if names:
        raise PlanError(
            f"{', '.join(f'env.{name}' for name in names)}: npu-launch itself sets this for every rank",
            where=str(recipe.source or ""),
            expected="variables that are not part of how ranks find each other",
            remedy=f"remove {' and '.join(names)} from env; ranks and devices follow from `ranks` and the cluster",
        )


def common_variables(job: Job) -> dict[str, str]:
    """What every process of the job has by default, and the recipe may change."""
    variables = {
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",  # a crash in native code, or SIGABRT, leaves the stacks in the log
        "ASCEND_SLOG_PRINT_TO_STDOUT": "0",  # CANN's log has a folder of its own, ASCEND_PROCESS_LOG_PATH
    }
    if job.target is Target.ASCEND:
        return variables | {"HCCL_IF_BASE_PORT": str(job.place.hccl_port)}
    # Ranks share the cores of a host: with a thread pool of all cores in each, they would only wait for each other.
    return variables | {"OMP_NUM_THREADS": "1"}


def rank_variables(job: Job, recipe: Recipe, seat: Seat, attempt: AttemptLayout) -> dict[str, str]:
    """Who a rank is; the recipe cannot change these."""
    variables = {
        "NPU_LAUNCH_RUN": job.place.run,
        "NPU_LAUNCH_ATTEMPT": str(job.place.attempt),
        "NPU_LAUNCH_RANK": str(seat.rank),
        "DEVICE_TARGET": job.target.value,
        "RANK_ID": str(seat.rank),
        "RANK_SIZE": str(job.world_size),
        "DEVICE_ID": str(seat.device.id),
        "ASCEND_DEVICE_ID": str(seat.device.id),
        "ASCEND_PROCESS_LOG_PATH": str(attempt.rank(seat.rank).cann),
    }
    if job.rank_table_path is not None:
        variables["RANK_TABLE_FILE"] = job.rank_table_path
    return {**variables, **CONTRACTS[recipe.framework].of_rank(job, seat)}
