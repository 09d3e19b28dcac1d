"""A launch plan for Kubernetes: a Volcano Job, and the same as an AscendJob.

A pod stands for a host. Which nodes, devices and addresses there are is known when the pods run: Volcano's plugins or
Ascend Operator tell a pod where the first one is, and the rank table is the operator's (Ascend/mind-cluster, Ascend
Operator), which a pod waits for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from launcher.errors import PlanError
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.planning.rendering.artifact import Artifact
from launcher.planning.rendering.container import container_of, in_container
from launcher.planning.rendering.parts import script_parts
from launcher.planning.rendering.stand_in import StandIn, stand_in
from launcher.planning.rendering.templates import fill_template
from launcher.specs import Cluster, Container, Framework, Recipe

_PORT: Final = 2222  # of `ascendjob-port`, the only one that a service of Ascend Operator passes on
_MOST: Final = 1_000_000  # bytes; a ConfigMap holds 1 MiB with all that belongs to it
_FIRST_910: Final = ("Ascend910A", "Ascend910ProA", "Ascend910B", "Ascend910ProB", "Ascend910PremiumA")


@dataclass(frozen=True)
class _Replica:
    """Pods of one role of an AscendJob; the first stands for host `first_host`, and those `apart` share no node."""

    role: str
    count: int
    first_host: int
    npus: int
    apart: str = "yes"


@dataclass(frozen=True)
class _Volume:
    """A folder of the node in the pod."""

    on_node: str
    in_pod: str
    kind: str
    is_read_only: bool = False


def render_k8s(recipe: Recipe, cluster: Cluster, *, name: str, runs: str, python: str) -> str:
    """All documents, each with a label that says for which of the two kinds of job it is."""
    return "---\n".join(artifact.text for artifact in k8s_files(recipe, cluster, name=name, runs=runs, python=python))


def k8s_files(recipe: Recipe, cluster: Cluster, *, name: str, runs: str, python: str) -> tuple[Artifact, ...]:
    """`volcano-job.yaml` and, for NPUs, `ascend-job.yaml`: apply one of them.

    Raises PlanError where recipe and cluster do not fit, when the cluster names no image, and for what a job of equal
    pods cannot be.
    """
    container = container_of(cluster, cluster.hosts[0].name)
    job = _job_name(name)
    place = Place(
        run=job,
        directory=str(PurePosixPath(runs) / job),
        scheduler_port=recipe.scheduler_port or _PORT,
        python=python,
    )
    unknown = stand_in(recipe, cluster, place)
    launch = in_container(unknown.plan)
    counts = {sum(rank.host == host for rank in launch.ranks) for host in launch.hosts}
    if len(counts) > 1:
        raise PlanError(
            f"the hosts would run {' and '.join(map(str, sorted(counts)))} ranks, but pods of a job are equal",
            where=str(recipe.source or ""),
            expected="as many ranks on every host",
        )
    kinds = ("volcano",) if cluster.is_cpu else ("volcano", "ascend")
    return tuple(
        Artifact(f"{kind}-job.yaml", _documents(kind, unknown, launch, recipe, cluster, container)) for kind in kinds
    )


def _documents(
    kind: str, unknown: StandIn, launch: LaunchPlan, recipe: Recipe, cluster: Cluster, container: Container
) -> str:
    devices = 0 if cluster.is_cpu else sum(rank.host == launch.hosts[0] for rank in launch.ranks)
    hosts = len(launch.hosts)
    replicas = _replicas(recipe.framework, hosts, devices, has_scheduler=bool(launch.services))
    script = fill_template(
        "pod.sh.j2",
        plan=script_parts(launch, unknown.speller({}), key=lambda number, _: str(number), cann=cluster.cann),
        named=[place for place, address in enumerate(unknown.addresses) if _is_named(address, launch)],
        reads_table=any(launch.rank_table_path in rank.env.values() for rank in launch.ranks),
    )
    if len(script.encode()) > _MOST:
        raise PlanError(
            f"the script of {launch.world_size} ranks has {len(script.encode())} bytes",
            where=str(recipe.source or ""),
            expected=f"at most {_MOST}, which is what a ConfigMap holds",
            remedy="give ranks arguments and variables that differ by {rank} and {local_rank} alone",
        )
    return fill_template(
        f"{kind}_job.yaml.j2",
        kind=kind,
        job=launch.run,
        script=script,
        framework="pytorch" if recipe.framework is Framework.PLAIN else recipe.framework.value,
        hosts=hosts,
        devices=devices,
        replicas=replicas,
        pods=sum(replica.count for replica in replicas),
        peers=" ".join(_peers(kind, launch.run, recipe.framework, hosts)),
        resource=None if cluster.is_cpu else _resource(cluster),
        generation=None if cluster.is_cpu else ("ascend-910" if cluster.soc in _FIRST_910 else "ascend-910b"),
        has_table=launch.rank_table is not None,
        image=container.image,
        shm_size=container.shm_size,
        port=recipe.scheduler_port or _PORT,
        grace=int(launch.grace) + 10,
        volumes=_volumes(launch, recipe, container),
        options=container.options,
    )


def _replicas(framework: Framework, hosts: int, npus: int, *, has_scheduler: bool) -> tuple[_Replica, ...]:
    """The roles that Ascend Operator knows (Ascend/mind-cluster, Ascend Job).

    MindSpore's scheduler has a pod to itself, without devices, and the workers are the hosts; with the others the first
    host has a role of its own.
    """
    if framework is Framework.MINDSPORE:
        scheduler = (_Replica("Scheduler", 1, 0, 0, apart="no"),) if has_scheduler else ()
        return (*scheduler, _Replica("Worker", hosts, 0, npus))
    first = _Replica("Chief" if framework is Framework.TENSORFLOW else "Master", 1, 0, npus)
    return (first, _Replica("Worker", hosts - 1, 1, npus)) if hosts > 1 else (first,)


def _peers(kind: str, job: str, framework: Framework, hosts: int) -> Iterator[str]:
    """What the pods of the hosts are called. Where the first is, Ascend Operator says itself."""
    if kind == "volcano":
        yield from (f"{job}-host-{host}.{job}" for host in range(hosts))
    elif framework is Framework.MINDSPORE:
        yield from (f"{job}-worker-{host}" for host in range(hosts))
    else:
        yield f"{job}-{'chief' if framework is Framework.TENSORFLOW else 'master'}-0"
        yield from (f"{job}-worker-{host}" for host in range(hosts - 1))


def _is_named(address: str, launch: LaunchPlan) -> bool:
    return any(
        address in text
        for texts in (
            *((*rank.env.values(), *rank.argv) for rank in launch.ranks),
            *((*service.env.values(), *service.argv) for service in launch.services),
        )
        for text in texts
    )


def _volumes(launch: LaunchPlan, recipe: Recipe, container: Container) -> list[_Volume]:
    """The recipe's folder, which has to be there; the run's, which is made; and those that the cluster names."""
    run = str(PurePosixPath(launch.ranks[0].log).parents[4])
    found = [_Volume(run, run, "DirectoryOrCreate"), _Volume(str(recipe.directory), str(recipe.directory), "Directory")]
    for mount in container.mounts:
        parts = mount.split(":")
        if len(parts) not in (2, 3) or not all(part.startswith("/") for part in parts[:2]):
            raise PlanError(
                f"container.mounts has {mount!r}",
                expected="/on/host:/in/container, with :ro at its end for reading only",
            )
        found.append(_Volume(parts[0], parts[1], "", is_read_only=parts[2:] == ["ro"]))
    return list({volume.in_pod: volume for volume in found}.values())


def _resource(cluster: Cluster) -> str:
    if not cluster.soc.startswith("Ascend910"):
        raise PlanError(
            f"cluster {cluster.name} has {cluster.soc}",
            where=str(cluster.source or ""),
            expected="an Ascend 910, 910B or 910_93, which Kubernetes counts as huawei.com/Ascend910",
        )
    return "huawei.com/Ascend910"


def _job_name(name: str) -> str:
    """A name that pods, services and ConfigMaps can have with what is added to it (RFC 1035 labels)."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return slug if slug[:1].isalpha() else f"job-{slug}".strip("-")
