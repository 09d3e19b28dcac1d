"""Makes an attempt ready to be launched: picks what only this moment can tell, plans, and writes the plan down."""

from __future__ import annotations

import fnmatch
import random
import socket
import sys
from collections.abc import Sequence, Set
from contextlib import suppress
from pathlib import Path

from launcher.errors import InfrastructureError
from launcher.planning import Checkpoints, LaunchPlan, Place, plan
from launcher.runs.events import AttemptStarted, Slot
from launcher.runs.store import RunDirectory, write_file
from launcher.specs import Cluster, Recipe, dump_yaml, load_cluster, load_recipe

# Below the range from which Linux takes ports for outgoing connections (32768 on), so that none of those sits on ours.
_PORTS = range(20000, 30000)


def read_specs(run: RunDirectory) -> tuple[Recipe, Cluster]:
    """The resolved recipe and cluster that the run directory keeps."""
    return load_recipe(run.layout.recipe), load_cluster(run.layout.cluster)


def change_recipe(run: RunDirectory, overrides: Sequence[str]) -> Recipe:
    """Change the recipe that the run directory keeps by `key=value` overrides; later attempts have it so too."""
    recipe = load_recipe(run.layout.recipe, tuple(overrides))
    write_file(run.layout.recipe, dump_yaml(recipe.resolved()))
    return recipe


def attempt_started(launch_plan: LaunchPlan, now: float) -> AttemptStarted:
    """What the record says when the plan of an attempt is handed to the hosts."""
    return AttemptStarted(
        time=now,
        attempt=launch_plan.attempt,
        ranks=tuple(process.rank for process in launch_plan.ranks),
        resume_from=launch_plan.resume_from,
        world_size=launch_plan.world_size,
        hosts=launch_plan.hosts,
    )


def prepare_attempt(
    run: RunDirectory, attempt: int, ranks: tuple[int, ...] | None = None, unavailable: Set[Slot] = frozenset()
) -> LaunchPlan:
    """Plan an attempt (of all ranks, or of these), from the newest checkpoint, and write plan and rank table.

    Slots that are unavailable get no rank. Raises SpecError, PlanError, or InfrastructureError when a port is taken or
    the folder cannot be written.
    """
    launch_plan = plan_attempt(*read_specs(run), run, attempt, ranks, unavailable)
    if launch_plan.rank_table is not None and launch_plan.rank_table_path is not None:
        write_file(Path(launch_plan.rank_table_path), launch_plan.rank_table.to_json())
    write_file(run.layout.attempt(attempt).plan, launch_plan.model_dump_json(indent=1) + "\n")
    return launch_plan


def plan_attempt(
    recipe: Recipe,
    cluster: Cluster,
    run: RunDirectory,
    attempt: int,
    ranks: tuple[int, ...] | None = None,
    unavailable: Set[Slot] = frozenset(),
) -> LaunchPlan:
    """The plan of an attempt as of now: a free port, the newest checkpoint. Writes nothing."""
    place = Place(
        run=run.id,
        directory=str(run.path),
        attempt=attempt,
        scheduler_port=_scheduler_port(recipe),
        python=sys.executable,
        ranks=ranks,
        unavailable=tuple(sorted(((slot.host, slot.device) for slot in unavailable), key=str)),
    )
    fresh = plan(recipe, cluster, place)
    if fresh.checkpoints is None or attempt == 1:  # a new run begins anew, whatever lies in the folder
        return fresh
    checkpoint = _newest(fresh.checkpoints)
    if checkpoint is None:
        return fresh
    return plan(recipe, cluster, place.model_copy(update={"resume_from": checkpoint}))


def _newest(checkpoints: Checkpoints) -> str | None:
    """The checkpoint written last; unfinished ones have another name, so every match is complete."""
    found: list[tuple[int, str]] = []
    for directory in checkpoints.directories:
        with suppress(OSError):
            found += [
                (path.stat().st_mtime_ns, str(path))
                for path in Path(directory).iterdir()
                if fnmatch.fnmatch(path.name, checkpoints.pattern)
            ]
    return max(found)[1] if found else None


def _scheduler_port(recipe: Recipe) -> int:
    """A port that nobody listens on: the recipe's own, or any of ours."""
    if recipe.scheduler_port is not None:
        if not _is_free(recipe.scheduler_port):
            raise InfrastructureError(
                f"port {recipe.scheduler_port} is taken{_holder(recipe.scheduler_port)}",
                where="scheduler_port",
                expected="a free port, for the ranks to meet at",
                remedy="end what listens there, or leave scheduler_port out: a free one is chosen then",
            )
        return recipe.scheduler_port
    for port in random.sample(_PORTS, 100):
        if _is_free(port):
            return port
    raise InfrastructureError(
        "no free port found in 100 tries",
        expected=f"a free port between {_PORTS.start} and {_PORTS.stop - 1}",
        remedy="see what listens: ss -ltnp",
    )


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True


def _holder(port: int) -> str:
    """` by pid N (name)`, as far as this user may see it."""
    import psutil

    with suppress(psutil.Error):
        for connection in psutil.net_connections("tcp"):
            listens = connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr[1] == port
            if listens and connection.pid:
                return f" by pid {connection.pid} ({psutil.Process(connection.pid).name()})"
    return ""
