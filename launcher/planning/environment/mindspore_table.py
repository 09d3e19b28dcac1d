"""MindSpore with a rank table and no scheduler (mindspore-ai/docs, rank_table.md).

All that a rank needs, RANK_TABLE_FILE, RANK_ID, RANK_SIZE and DEVICE_ID, is what every rank is told.
"""

from __future__ import annotations

from typing import Final

from launcher.planning.environment import mindspore_cluster
from launcher.planning.environment.contract import Contract

CONTRACT: Final = Contract(
    variables=(),
    of_rank=lambda _job, _seat: {},
    excludes=dict.fromkeys(
        (*(variable.name for variable in mindspore_cluster.VARIABLES), "MS_SERVER_NUM"),
        "it is of the dynamic cluster, and the recipe says rendezvous: rank_table",
    ),
)
