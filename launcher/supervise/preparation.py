"""Makes an attempt ready to be launched: picks what only this moment can tell, plans, and writes the plan down."""

from __future__ import annotations

import fnmatch
import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from launcher.errors import InfrastructureError
from launcher.hosts.affinity import NearCpus, near_cpus
from launcher.hosts.reach import ThisMachine
from launcher.hosts.set_env import host_environment
from launcher.hosts.this_machine import device_ids, is_this_machine, machine_root
from launcher.planning import Checkpoints, LaunchPlan, Place, plan
from launcher.runs.events import AttemptStarted, Slot
from launcher.runs.store import RunDirectory, cache_directory, write_file
from launcher.specs import Binding, Cluster, Recipe, dump_yaml, load_cluster, load_recipe
from launcher.supervise.claims import Allotment, claims_folder
from launcher.supervise.ports import scheduler_port

_TOPOLOGY_LIMIT: Final = 5.0  # seconds; npu-smi takes less than one on a healthy host


def read_specs(run: RunDirectory) -> tuple[Recipe, Cluster]:
    """The resolved recipe and cluster that the run directory keeps."""
    return load_recipe(run.layout.recipe), load_cluster(run.layout.cluster)


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
    """Plan an attempt (of all ranks, or of these), from the newest checkpoint, and write plan and rank table.

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
    """The plan of an attempt as of now: what it may use, the newest checkpoint. Writes nothing."""
    place = Place(
        **_look_at_hosts(recipe, cluster, run),
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
    checkpoint = _newest(fresh.checkpoints)
    if checkpoint is None:
        return fresh
    return plan(recipe, cluster, place.model_copy(update={"resume_from": checkpoint}))


def _look_at_hosts(recipe: Recipe, cluster: Cluster, run: RunDirectory) -> dict[str, Any]:
    """What a plan has to know of NPU hosts: which NPUs are there, near to which processors, and what set_env.sh leaves.

    CANN is where the cluster says; else the one that the run began with; else what the launching shell has set up
    (ASCEND_HOME_PATH), or the installer's own place. Of hosts other than this machine nothing is known, and their ranks
    have what they inherit. Raises PreflightError when a set_env.sh that is there does not work.
    """
    host = cluster.hosts[0]
    if cluster.is_cpu or len(cluster.hosts) > 1 or not is_this_machine(host.address):
        return {}
    reach = ThisMachine()
    named = host.cann or cluster.cann
    cann = named or _cann_of(run) or os.environ.get("ASCEND_HOME_PATH")
    environment = host_environment(reach, host.name, cann, recipe.framework, _cache())
    warnings = []
    if environment is None and named is not None:
        warnings.append(
            f"host {host.name} has no set_env.sh in {named} or beside it: ranks have what the shell has of CANN"
        )
    near: NearCpus = ()
    if recipe.binding is Binding.AUTO:
        near, trouble = near_cpus(host.name, reach.run(["npu-smi", "info", "-t", "topo"], timeout=_TOPOLOGY_LIMIT))
        warnings += [trouble] if trouble else []
    return {
        "devices_there": ((host.name, device_ids(machine_root())),),
        "host_environments": () if environment is None else (environment,),
        "near_cpus": near,
        "warnings": tuple(warnings),
    }


def _cann_of(run: RunDirectory) -> str | None:
    """CANN's folder in the run's first attempt: who restarts a run need not have the shell that launched it."""
    try:
        plan = json.loads(run.layout.attempt(1).plan.read_bytes())
        script = plan["host_environments"][0]["files"][0]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return str(Path(script).parent) if script.endswith("/set_env.sh") else None


def _cache() -> Path | None:
    """Where answers of hosts are kept; None where nothing can be written, for a plan is only looked at then."""
    try:
        return cache_directory()
    except InfrastructureError:
        return None


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
