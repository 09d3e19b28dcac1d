"""A launch plan for Kubernetes: a Volcano Job, and the same as an AscendJob.

A pod stands for a host. Which nodes, devices and addresses there are is known when the pods run: Volcano's plugins or
Ascend Operator tell a pod where the first one is, and the rank table is the operator's (Ascend/mind-cluster, Ascend
Operator), which a pod waits for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

from launcher.errors import PlanError
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.planning.rendering.artifact import Artifact
from launcher.planning.rendering.container import container_of, in_container
from launcher.planning.rendering.parts import ranks_by_host, run_folder, script_parts
from launcher.planning.rendering.stand_in import StandIn, stand_in
from launcher.planning.rendering.templates import fill_template
from launcher.specs import Cluster, Container, Framework, Recipe
from launcher.specs.soc import Family, family_of

_PORT: Final = 2222  # of `ascendjob-port`, the only one that a service of Ascend Operator passes on
_MOST: Final = 1_000_000  # bytes; a ConfigMap holds 1 MiB with all that belongs to it
# The label by which Ascend Operator and its scheduler know the chip (mindcluster user guide, YAML parameters).
_GENERATIONS: Final = {
    Family.ASCEND910: "ascend-910",
    Family.ASCEND910B: "ascend-910b",
    Family.ASCEND910_93: "ascend-910b",
}
# The role of the first pod of an AscendJob, which stands for the first host; the others are workers. A job of more than
# one NPU needs it, and MindSpore's may have devices as any other (Ascend/mind-cluster, ascendjob_validate.go).
_FIRST_ROLE: Final = {Framework.MINDSPORE: "Scheduler", Framework.TENSORFLOW: "Chief"}


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
    counts = set(map(len, ranks_by_host(launch).values()))
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
    devices = 0 if cluster.is_cpu else len(ranks_by_host(launch)[launch.hosts[0]])
    hosts = len(launch.hosts)
    named = unknown.named_hosts()
    if kind == "ascend" and any(named):
        raise PlanError(
            "ranks are told addresses of other hosts than the first, which Ascend Operator does not know",
            where=str(recipe.source or ""),
        )
    script = fill_template(
        "pod.sh.j2",
        plan=script_parts(
            launch,
            unknown.speller({}),
            key=lambda number, _: str(number),
            cann=dict.fromkeys(launch.hosts, cluster.cann),
        ),
        named=named,
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
        first_role=_FIRST_ROLE.get(recipe.framework, "Master"),
        peers=" ".join(f"{launch.run}-host-{host}.{launch.run}" for host in range(hosts)) if kind == "volcano" else "",
        generation=None if cluster.is_cpu else _generation(cluster),
        has_table=launch.rank_table is not None,
        image=container.image,
        shm_size=container.shm_size,
        port=recipe.scheduler_port or _PORT,
        grace=int(launch.grace) + 10,
        volumes=_volumes(launch, recipe, container),
        options=container.options,
    )


def _volumes(launch: LaunchPlan, recipe: Recipe, container: Container) -> list[_Volume]:
    """The recipe's folder, which has to be there; the run's, which is made; and those that the cluster names."""
    run = run_folder(launch)
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


def _generation(cluster: Cluster) -> str:
    found = _GENERATIONS.get(family_of(cluster.soc) or Family.CPU)
    if found is None:
        raise PlanError(
            f"cluster {cluster.name} has {cluster.soc}",
            where=str(cluster.source or ""),
            expected="an Ascend 910, 910B or 910_93, which Kubernetes counts as huawei.com/Ascend910",
        )
    return found


def _job_name(name: str) -> str:
    """A name that pods, services and ConfigMaps can have with what is added to it (RFC 1035 labels)."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40].strip("-")
    return slug if slug[:1].isalpha() else f"job-{slug}".strip("-")
