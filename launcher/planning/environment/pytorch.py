"""PyTorch's `env://` rendezvous: torch_npu on HCCL, gloo on CPU, with all names that torchrun gives.

Rank 0 holds the TCPStore itself, on MASTER_PORT; there is no agent's store, and TORCHELASTIC_USE_AGENT_STORE stays
unset.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from launcher.planning.environment.contract import Contract, Job
from launcher.planning.environment.hccl import of_root_info
from launcher.planning.environment.variable import Variable
from launcher.planning.placement import Seat
from launcher.specs import Host

_TORCHRUN: Final = "PyTorch docs, torchrun (Elastic Launch), environment variables"
_ROLE: Final = "default"
_GLOO: Final = "GLOO_SOCKET_IFNAME"

_VARIABLES: Final = (
    Variable("RANK", "The rank, from 0.", _TORCHRUN),
    Variable("LOCAL_RANK", "The rank within its host, from 0; scripts select npu:LOCAL_RANK.", _TORCHRUN),
    Variable("WORLD_SIZE", "The number of ranks.", _TORCHRUN),
    Variable("LOCAL_WORLD_SIZE", "The number of ranks on this host.", _TORCHRUN),
    Variable("GROUP_RANK", "The host's place among the hosts, from 0.", _TORCHRUN),
    Variable("GROUP_WORLD_SIZE", "The number of hosts.", _TORCHRUN),
    Variable("ROLE_NAME", "Role of the rank; all have one.", _TORCHRUN),
    Variable("ROLE_RANK", "The rank within its role: the rank.", _TORCHRUN),
    Variable("ROLE_WORLD_SIZE", "Ranks of the role: all.", _TORCHRUN),
    Variable("MASTER_ADDR", "Where ranks meet: the host of rank 0, whose process holds the store.", _TORCHRUN),
    Variable("MASTER_PORT", "The port of that store.", _TORCHRUN),
    Variable("TORCHELASTIC_RESTART_COUNT", "Restarts so far: 0 in the first attempt.", _TORCHRUN),
    Variable("TORCHELASTIC_MAX_RESTARTS", "Restarts that the recipe allows (restart.max_restarts).", _TORCHRUN),
    Variable(
        "TORCHELASTIC_RUN_ID", "The run's id; its presence tells libraries that ranks are started for them.", _TORCHRUN
    ),
)


def _shared(job: Job) -> Mapping[str, str]:
    size = str(job.world_size)
    return {
        "WORLD_SIZE": size,
        "GROUP_WORLD_SIZE": str(job.host_count),
        "ROLE_NAME": _ROLE,
        "ROLE_WORLD_SIZE": size,
        "MASTER_ADDR": job.meeting_host,
        "MASTER_PORT": job.meeting_port,
        "TORCHELASTIC_RESTART_COUNT": str(job.place.attempt - 1),
        "TORCHELASTIC_MAX_RESTARTS": str(job.max_restarts),
        "TORCHELASTIC_RUN_ID": job.place.run,
    }


def _of_rank(_: Job, seat: Seat) -> Mapping[str, str]:
    rank = str(seat.rank)
    return {
        "RANK": rank,
        "LOCAL_RANK": str(seat.local_rank),
        "LOCAL_WORLD_SIZE": str(len(seat.device_ids)),
        "GROUP_RANK": str(seat.host_index),
        "ROLE_RANK": rank,
    }


def _of_host(job: Job, host: Host) -> Mapping[str, str]:
    """Without it gloo takes the address of the host's own name, which on many systems is a loopback (127.0.1.1)."""
    interface = job.interface(host) if job.knows_interfaces else None
    return {**of_root_info(job, host), **({_GLOO: interface} if interface else {})}


CONTRACT: Final = Contract(
    variables=_VARIABLES,
    shared=_shared,
    of_rank=_of_rank,
    of_host=_of_host,
    excludes={"TORCHELASTIC_USE_AGENT_STORE": "rank 0 holds the store itself, and no agent does"},
    renumbers_devices=True,
)
