"""What a host has of a cluster, asked of it by whoever brings the cluster up or takes it down.

Run there as `python -m launcher.supervise.fleet.there ID`; it answers with one line of JSON, a `There`.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from launcher.errors import InfrastructureError, NpuLaunchError
from launcher.runs.clusters import Membership, cluster_directory, cluster_id, read_membership, token_path
from launcher.runs.home import home
from launcher.runs.lock import is_held
from launcher.runs.pointer import pointed_at
from launcher.runs.store import RunDirectory
from launcher.specs import load_cluster
from launcher.supervise.mirror.keeping import mirrored_runs


class Mirror(BaseModel):
    """A run without an end that is at home on `home`, and how many bytes of its record are kept here."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    run: str
    home: str
    size: int


class Other(BaseModel):
    """Another cluster whose Ray is up on a host, and the runs of it that something there keeps."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    membership: Membership
    alive: tuple[str, ...]


class There(BaseModel):
    """One host's part in a cluster, which it keeps in `directory`.

    `is_head` says that the process lives that keeps Ray's head. `token` is the digest of the token of the cluster's
    Ray. `alive` are the runs that something here keeps, their supervisor or the shim of their ranks; `mirrors` are runs
    of other homes that have no end. `others` are clusters of other hosts that this one is in as well. `clock` is the
    time in seconds since the epoch.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    directory: str
    membership: Membership | None
    is_head: bool
    token: str | None
    alive: tuple[str, ...] = ()
    mirrors: tuple[Mirror, ...] = ()
    others: tuple[Other, ...] = ()
    clock: float


def digest(token: bytes) -> str:
    """What two tokens are compared by."""
    return hashlib.sha256(token).hexdigest()


def look(cluster: str) -> There:
    """What this host has of the cluster with this id; a membership that cannot be read is as good as none."""
    try:
        membership = read_membership(cluster)
    except NpuLaunchError:
        membership = None
    try:
        token = digest(token_path(cluster).read_bytes())
    except OSError:
        token = None
    return There(
        directory=str(cluster_directory(cluster)),
        membership=membership,
        is_head=is_held(cluster_directory(cluster) / "head.lock"),
        token=token,
        alive=_alive(cluster),
        mirrors=tuple(_mirrors(cluster)),
        others=tuple(_others(cluster)),
        clock=time.time(),
    )


def _mirrors(cluster: str) -> Iterator[Mirror]:
    """Runs whose record is copied here, and those whose record is seen here because hosts share their home."""
    for known in mirrored_runs(home()):
        yield Mirror(run=known.run.id, home=known.home, size=known.size)
    for run in _folders():
        at = pointed_at(run)
        if at is None or at.machine is None or at.is_here or run.is_supervised():
            continue
        if run.layout.events.exists() and run.state().ended is None and _may_be_on(run, cluster):
            yield Mirror(run=run.id, home=at.host, size=run.layout.events.stat().st_size)


def _others(cluster: str) -> Iterator[Other]:
    for folder in sorted(cluster_directory(cluster).parent.glob("*")):
        if folder.name == cluster or not any(is_held(folder / lock) for lock in ("head.lock", "node.lock")):
            continue
        with suppress(NpuLaunchError):  # who keeps its Ray cannot read it either
            if membership := read_membership(folder.name):
                yield Other(membership=membership, alive=_alive(folder.name))


def _alive(cluster: str) -> tuple[str, ...]:
    return tuple(run.id for run in _folders() if _is_alive(run) and _may_be_on(run, cluster))


def _folders() -> list[RunDirectory]:
    """The runs of which there is anything here, their record or not."""
    return [RunDirectory(path) for path in sorted((home() / "runs").glob("*"))]


def _is_alive(run: RunDirectory) -> bool:
    """Whether something keeps it; a shim may outlive its run for a minute."""
    is_kept = run.is_supervised() or any(map(is_held, run.path.glob("hosts/*/shim.lock")))
    return is_kept and run.state().ended is None


def _may_be_on(run: RunDirectory, cluster: str) -> bool:
    """Whether a run is on the cluster, as far as can be told here."""
    try:
        return cluster_id(load_cluster(run.layout.cluster)) == cluster
    except NpuLaunchError:
        return True


def there_of(host: str, answer: Any) -> There:
    """What a host answered. Raises InfrastructureError when that is something else."""
    try:
        return There.model_validate_json(json.dumps(answer))
    except ValidationError as error:
        raise InfrastructureError(
            f"what it has of the cluster is not understood: {error.errors()[0]['msg']}",
            where=f"host {host}",
            expected="npu-launch of this version there",
            remedy="npu-launch up CLUSTER brings it there",
        ) from None


def main() -> None:
    """Entry point: ID."""
    print(look(sys.argv[1]).model_dump_json())


if __name__ == "__main__":
    main()
