"""What no process of a job may inherit from the shell that launches it."""

from __future__ import annotations

from itertools import chain
from typing import Final

from launcher.planning.environment.choice import CONTRACTS
from launcher.planning.environment.identity import OWNED

# What other launchers leave in a shell. Frameworks read the rank from there (MindSpore's log.py asks
# OMPI_COMM_WORLD_RANK before MS_NODE_ID), and a process that Ray started inherits one thread.
_LEFT_BY_OTHERS: Final = (
    *("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"),
    *("PMI_RANK", "PMI_SIZE", "PMIX_RANK"),
    *("MS_SERVER_NUM", "TORCHELASTIC_ERROR_FILE", "MSRUN_BIND_FILE", "MSRUN_BIND_FILE_HASH"),
    *("RAY_ADDRESS", "RAY_JOB_ID", "RAY_RAYLET_PID", "RAY_NODE_ID", "RAY_CLIENT_MODE"),
    "OMP_NUM_THREADS",
)

UNSET: Final = tuple(
    sorted(
        {
            *_LEFT_BY_OTHERS,
            *(variable.name for variable in OWNED),
            *(variable.name for contract in CONTRACTS for variable in contract.variables),
            *chain.from_iterable(contract.excludes for contract in CONTRACTS),
        }
    )
)
