"""Begins a run at its home, for somebody elsewhere who has seen to its hosts.

Run there as `python -m launcher.supervise.begin` with a `Beginning` as JSON on standard input. It answers with one line
of JSON: `{"run": ID, "warnings": [...]}` or `{"error": {...}}`. With `--adopt [RUN...]` it reads nothing: every run of
this home that nobody supervises is supervised again, and so are those named, whose record is copied here because their
home was another host, which is lost. The answer is `{"runs": [ID...]}`.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.hosts.reach import Reach
from launcher.runs.clusters import cluster_id
from launcher.runs.home import home, write_file
from launcher.runs.pointer import here, move, pointed_at
from launcher.runs.store import RunDirectory, all_runs
from launcher.specs import Cluster, Recipe, dump_yaml, load_cluster, load_recipe
from launcher.supervise import taken
from launcher.supervise.claims import Taken
from launcher.supervise.detached import ensure_kept
from launcher.supervise.launch import begin
from launcher.supervise.mirror.keeping import adopt as adopt_copy
from launcher.supervise.mirror.keeping import copy_of, mirrored_runs
from launcher.supervise.on_ray.terms import own_membership
from launcher.supervise.sights import Sights
from launcher.supervise.spread import headed_by, home_host
from launcher.supervise.told_errors import heard, told

_LIMIT: Final = 60.0  # seconds for the home to begin a run; a slow disk takes a few
_TAKEN_LIMIT: Final = 20.0  # seconds for a host to say what is taken
_HOSTS_AT_ONCE: Final = 32


class Beginning(BaseModel):
    """All that the home cannot see for itself; `taken` is the answer of each host, the home's own left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    recipe: str
    cluster: str
    sights: Sights
    taken: Mapping[str, str]


def beginning(
    recipe: Recipe, cluster: Cluster, name: str, sights: Sights, taken_there: Mapping[str, Taken]
) -> Beginning:
    """The message to the home; recipe and cluster are as they are for the hosts."""
    answers = {host: taken.to_json(found) for host, found in taken_there.items()}
    return Beginning(
        name=name, recipe=dump_yaml(recipe.resolved()), cluster=dump_yaml(cluster), sights=sights, taken=answers
    )


def ask_what_is_taken(run: str, reaches: Mapping[str, tuple[Reach, Sequence[str]]]) -> dict[str, Taken]:
    """What is taken on hosts, by name: each has a way there, and the command of npu-launch's Python.

    Raises InfrastructureError for a host that gives no answer.
    """

    def of(item: tuple[str, tuple[Reach, Sequence[str]]]) -> tuple[str, Taken]:
        host, (reach, python) = item
        answer = reach.run([*python, "-m", "launcher.supervise.taken", run], timeout=_TAKEN_LIMIT)
        return host, taken.from_json(host, answer.stdout if answer.code == 0 else answer.stderr)

    with ThreadPoolExecutor(_HOSTS_AT_ONCE, thread_name_prefix="taken") as pool:
        return dict(pool.map(of, reaches.items()))


def begin_at_home(home: Reach, python: Sequence[str], message: Beginning) -> tuple[str, tuple[str, ...]]:
    """Have the home begin the run: its id, and what is doubtful about its plan.

    `python` is the command of npu-launch's Python there. Raises what the home raised, or InfrastructureError.
    """
    answer = home.run(
        [*python, "-m", "launcher.supervise.begin"], input=message.model_dump_json().encode(), timeout=_LIMIT
    )
    try:
        found = json.loads(answer.stdout.decode(errors="replace").strip().rpartition("\n")[2])
        if "error" in found:
            raise heard(found["error"])
        return str(found["run"]), tuple(map(str, found["warnings"]))
    except (ValueError, LookupError, TypeError):
        said = (answer.stderr or answer.stdout).decode(errors="replace").strip()[-500:]
        raise InfrastructureError(
            f"the run could not be begun at its home: {answer.problem or said or f'exit code {answer.code}'}",
            expected="npu-launch of this version on the first host of the cluster",
            remedy="npu-launch up CLUSTER, then try again",
        ) from None


def _answer(message: bytes) -> dict[str, Any]:
    try:
        asked = Beginning.model_validate_json(message)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "recipe.yaml").write_text(asked.recipe, encoding="utf-8")
            (Path(folder) / "cluster.yaml").write_text(asked.cluster, encoding="utf-8")
            recipe = load_recipe(Path(folder) / "recipe.yaml")
            cluster = load_cluster(Path(folder) / "cluster.yaml")
        elsewhere = {host: taken.from_json(host, line.encode()) for host, line in asked.taken.items()}
        run, plan = begin(recipe, cluster, asked.name, asked.sights, elsewhere)
        return {"run": run.id, "warnings": list(plan.warnings)}
    except NpuLaunchError as error:
        return {"error": told(error)}


def adopt(mirrored: Sequence[str] = ()) -> tuple[str, ...]:
    """Have every run whose record is here, and that nobody supervises, supervised again; their ids.

    Of `mirrored` runs, whose home is lost, this host becomes the home. Raises InfrastructureError.
    """
    adopted = []
    for known in mirrored_runs(home()):
        if known.run.id in mirrored:
            _take_home(known.run)
    for run in all_runs():
        at = pointed_at(run)
        if at is not None and not at.is_here and not (run.id in mirrored and _take_shared_home(run)):
            continue
        if run.state().ended is None and not run.is_supervised():
            ensure_kept(run)
            adopted.append(run.id)
    return tuple(adopted)


def _take_home(run: RunDirectory) -> None:
    """Make this host the home of a run whose record is copied here: from now on the first host of its cluster."""
    path = copy_of(run).cluster
    if path.exists():
        _head(path)
    adopt_copy(run)
    move(run, here(home_host(load_cluster(run.layout.cluster)).name))


def _take_shared_home(run: RunDirectory) -> bool:
    """Make this host the home of a run whose record is here, in a home that hosts share, unless it is supervised."""
    if run.is_supervised():
        return False
    move(run, here(_head(run.layout.cluster)))
    return True


def _head(path: Path) -> str:
    """Have this host be the first in a cluster.yaml; its name there."""
    cluster = load_cluster(path)
    me = own_membership(cluster_id(cluster)).me
    write_file(path, dump_yaml(headed_by(cluster, me)))
    return me


def main() -> None:
    """Entry point: [--adopt [RUN...]]."""
    options = sys.argv[1:]
    found = {"runs": list(adopt(options[1:]))} if options[:1] == ["--adopt"] else _answer(sys.stdin.buffer.read())
    print(json.dumps(found))


if __name__ == "__main__":
    main()
