"""Makes an attempt ready to be launched: picks what only this moment can tell, plans, and writes the plan down."""

from __future__ import annotations

import fnmatch
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from launcher.planning.compose import plan
from launcher.planning.model import Checkpoints, LaunchPlan
from launcher.planning.place import Place
from launcher.runs.events import AttemptStarted, Event, RunCreated, Slot
from launcher.runs.home import write_file
from launcher.runs.store import RunDirectory
from launcher.specs import Cluster, Recipe, dump_yaml, load_cluster, load_recipe
from launcher.supervise.claims import Allotment, claims_folder
from launcher.supervise.ports import scheduler_port
from launcher.supervise.sights import kept_sights, sights_here


def read_specs(run: RunDirectory) -> tuple[Recipe, Cluster]:
    """The resolved recipe and cluster that the run directory keeps."""
    return load_recipe(run.layout.recipe), load_cluster(run.layout.cluster)


def last_plan(run: RunDirectory) -> Path | None:
    """Where the plan of the run's latest attempt that has one lies."""
    numbers = (int(path.name) for path in run.layout.attempts.glob("*") if path.name.isdecimal())
    plans = (run.layout.attempt(number).plan for number in sorted(numbers, reverse=True))
    return next((path for path in plans if path.exists()), None)


def first_events(launch_plan: LaunchPlan, recipe: Recipe, name: str, created: float) -> list[Event]:
    """What the record of a new run of this name begins with; `created` is when that was (seconds since the epoch)."""
    return [
        RunCreated(
            time=created,
            run=launch_plan.run,
            name=name,
            framework=launch_plan.framework.value,
            target=launch_plan.target.value,
            world_size=launch_plan.world_size,
            hosts=launch_plan.hosts,
        ),
        attempt_started(launch_plan, recipe, time.time()),
    ]


def attempt_started(launch_plan: LaunchPlan, recipe: Recipe, now: float) -> AttemptStarted:
    """What the record says when the plan of an attempt is handed to the hosts."""
    return AttemptStarted(
        time=now,
        attempt=launch_plan.attempt,
        ranks=tuple(process.rank for process in launch_plan.ranks),
        resume_from=launch_plan.resume_from,
        world_size=launch_plan.world_size,
        hosts=launch_plan.hosts,
        gang=launch_plan.gang,
        max_restarts=recipe.restart.max_restarts,
        metrics=recipe.metrics or None,
        own_checkpoints=tuple(each.resume_from for each in launch_plan.ranks if each.resume_from is not None) or None,
    )


def prepare_attempt(
    run: RunDirectory,
    recipe: Recipe,
    cluster: Cluster,
    attempt: int,
    allotment: Allotment,
    ranks: tuple[int, ...] | None = None,
    seats: Sequence[Slot] | None = None,
) -> LaunchPlan:
    """Plan an attempt (of all ranks, or of these), from the newest checkpoints, and write plan and rank table.

    The recipe is the run's from then on: where it has been changed, it is written too, once the plan is sound. `seats`
    say where every rank sits, for those that start beside others. Raises SpecError, PlanError, or InfrastructureError
    when the folder cannot be written.
    """
    launch_plan = plan_attempt(recipe, cluster, run, attempt, allotment, ranks, seats)
    text = dump_yaml(recipe.resolved())
    if run.layout.recipe.read_text(encoding="utf-8") != text:
        write_file(run.layout.recipe, text)
    if launch_plan.rank_table is not None and launch_plan.rank_table_path is not None:
        write_file(Path(launch_plan.rank_table_path), launch_plan.rank_table.to_json())
    write_file(run.layout.attempt(attempt).plan, launch_plan.model_dump_json(indent=1) + "\n")
    return launch_plan


def plan_attempt(
    recipe: Recipe,
    cluster: Cluster,
    run: RunDirectory,
    attempt: int,
    allotment: Allotment,
    ranks: tuple[int, ...] | None = None,
    seats: Sequence[Slot] | None = None,
) -> LaunchPlan:
    """The plan of an attempt as of now: what it may use, the newest checkpoints. Writes nothing."""
    place = Place(
        **(kept_sights(run) or sights_here(recipe, cluster, run)).as_place(),
        run=run.id,
        directory=str(run.path),
        attempt=attempt,
        scheduler_port=scheduler_port(recipe, allotment.block),
        hccl_port=allotment.block,
        claims=claims_folder(),
        port_block=allotment.block,
        python=sys.executable,
        ranks=ranks,
        unavailable=tuple(sorted(((slot.host, slot.device) for slot in allotment.unavailable), key=str)),
        seats=None if seats is None else tuple((slot.host, slot.device or 0) for slot in seats),
    )
    fresh = plan(recipe, cluster, place)
    if fresh.checkpoints is None or attempt == 1:  # a new run begins anew, whatever lies in the folder
        return fresh
    found = _found(fresh, fresh.checkpoints)
    return plan(recipe, cluster, place.model_copy(update=found)) if found else fresh


def _found(launch_plan: LaunchPlan, checkpoints: Checkpoints) -> dict[str, object]:
    """What ranks go on from, as a place says it: each rank from its own newest checkpoint, or all from the newest."""
    if not checkpoints.each_its_own:
        newest = _newest(checkpoints.directories, checkpoints.pattern)
        return {} if newest is None else {"resume_from": newest}
    folders = ((process.rank, checkpoints.directories[process.rank]) for process in launch_plan.ranks)
    own = ((rank, _newest((folder,), checkpoints.pattern)) for rank, folder in folders)
    known = tuple((rank, newest) for rank, newest in own if newest is not None)
    return {"own_checkpoints": known} if known else {}


def _newest(folders: Sequence[str], pattern: str) -> str | None:
    """The checkpoint written last; unfinished ones have another name, so every match is complete."""
    found: list[tuple[int, str]] = []
    for folder in folders:
        with suppress(OSError):
            found += [
                (path.stat().st_mtime_ns, str(path))
                for path in Path(folder).iterdir()
                if fnmatch.fnmatch(path.name, pattern)
            ]
    return max(found)[1] if found else None
