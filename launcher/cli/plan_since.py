"""What has changed since a run: its last plan beside the plan as of now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pydantic import ValidationError

from launcher.errors import InfrastructureError, UsageError
from launcher.planning.difference import Side, difference, render_difference
from launcher.planning.model import LaunchPlan
from launcher.runs.store import RunDirectory, find_run
from launcher.supervise.fleet import afar
from launcher.supervise.fleet.way_home import way_home
from launcher.supervise.preparation import last_plan, read_specs

if TYPE_CHECKING:
    from launcher.specs import Cluster, Recipe


def changes_since(name: str, now: LaunchPlan, recipe: Recipe, cluster: Cluster, *, as_json: bool) -> str:
    """The changes between the last attempt of a run and the plan as of now, for a person or as JSON.

    `name` is the run's id, how it begins, or `latest`. Raises UsageError when there is no such run, or none that was
    planned, and InfrastructureError when its plan cannot be read.
    """
    run = find_run(None if name == "latest" else name)
    then = _last_plan(run)
    then_recipe, then_cluster = read_specs(run)
    changes = difference(
        Side(plan=then, recipe=then_recipe, cluster=then_cluster), Side(plan=now, recipe=recipe, cluster=cluster)
    )
    if as_json:
        found = [change.model_dump(mode="json") for change in changes]
        return json.dumps({"run": run.id, "attempt": then.attempt, "changes": found}, indent=2, ensure_ascii=False)
    return render_difference(changes, f"run {run.id}, attempt {then.attempt}")


def _last_plan(run: RunDirectory) -> LaunchPlan:
    """Raises UsageError when there is none."""
    where = str(run.layout.attempts)
    try:
        if (home := way_home(run, to_read=True)) is not None:
            where = f"host {home.host.name}"
            content: str | bytes | None = afar.plan(home)
        else:
            path = last_plan(run)
            content = None if path is None else path.read_bytes()
            where = where if path is None else str(path)
        if content is not None:
            return LaunchPlan.model_validate_json(content)
    except (OSError, ValidationError) as error:
        why = error.strerror if isinstance(error, OSError) else "it was written by another version of npu-launch"
        raise InfrastructureError(f"the plan of run {run.id} cannot be read: {why}", where=where) from error
    raise UsageError(f"run {run.id} has no plan", where=where, expected="a run that was started")
