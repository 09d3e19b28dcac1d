"""A launch plan as a batch script for Slurm, which forms the run on the nodes that it is given.

The script needs bash and Slurm's own commands on the nodes and nothing of npu-launch: where that is not installed, it
runs as well, and where it is, it does not depend on a version. One task a node runs that node's ranks as one gang,
which is how ranks of a host share devices and memory; `srun` starts the tasks and ends them together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from launcher.errors import UsageError
from launcher.planning.place import Place
from launcher.planning.rendering.parts import script_parts
from launcher.planning.rendering.stand_in import JOB, stand_in
from launcher.planning.rendering.templates import fill_template
from launcher.specs import Cluster, Framework, Recipe

_NAME: Final = re.compile(r"[a-z][a-z-]*")
_VALUE: Final = re.compile(r"[A-Za-z0-9_.,:=/@%+*~\[\]()&|!-]*")
_OURS: Final = ("nodes", "ntasks", "ntasks-per-node", "job-name", "array", "wrap", "requeue")


def render_slurm(
    recipe: Recipe, cluster: Cluster, *, name: str, runs: str, python: str, options: Sequence[str] = ()
) -> str:
    """The text of the batch script.

    Of the cluster, how many hosts it has and which devices each counts; who they are Slurm decides. The run's folder is
    `<runs>/<name>-<job id>`. `options` are those of sbatch without dashes, such as `gres=npu:8`; they become #SBATCH
    lines. Raises PlanError, and UsageError for an option that cannot be given.
    """
    place = Place(
        run=f"{name}-{JOB}",
        directory=str(PurePosixPath(runs) / f"{name}-{JOB}"),
        scheduler_port=recipe.scheduler_port or Place.example(recipe).scheduler_port,
        python=python,
    )
    unknown = stand_in(recipe, cluster, place)
    launch = unknown.plan
    parts = script_parts(
        launch,
        unknown.speller({JOB: '"$SLURM_JOB_ID"'}),
        key=lambda number, _: str(number),
        cann=dict.fromkeys(launch.hosts, cluster.cann),
    )
    return fill_template(
        "sbatch.j2",
        plan=parts,
        options=_options(name, len(launch.hosts), options),
        # MindSpore wants servers of a rank table in the order of their ids (mindspore-ai/docs, rank_table.md).
        sorts_nodes=recipe.framework is Framework.MINDSPORE and not cluster.is_cpu,
        devices=sorted({rank.slot for rank in launch.ranks}) if unknown.device_addresses else (),
    )


def _options(name: str, nodes: int, wanted: Sequence[str]) -> Mapping[str, str | None]:
    """Whole nodes, since two jobs on one would meet at each other's ports and devices; all of their memory."""
    options: dict[str, str | None] = {
        "job-name": name,
        "nodes": str(nodes),
        "ntasks-per-node": "1",
        "exclusive": None,
        "mem": "0",
        "no-requeue": None,  # a second start under the same job id would write over the logs of the first
    }
    for text in wanted:
        option, equals, value = text.removeprefix("--").partition("=")
        if not _NAME.fullmatch(option) or not _VALUE.fullmatch(value):
            raise UsageError(
                f"--sbatch is '{text}'",
                expected="an option of sbatch as NAME or NAME=VALUE, without spaces and quotes, such as gres=npu:8",
            )
        if option in _OURS:
            raise UsageError(f"--sbatch {option}: this follows from the recipe and the cluster")
        options[option] = value if equals else None
    return options
