"""A launch plan as a script that starts a container on each host, in which the host's ranks run.

One container a host, not one a rank: ranks of a host exchange data through shared memory and through each other's
devices, HCCL counts a host's containers as one server, and whatever ends the container ends the whole gang.
"""

from __future__ import annotations

from launcher.planning.model import LaunchPlan
from launcher.planning.rendering.artifact import Artifact
from launcher.planning.rendering.container import container_of, docker_arguments, in_container
from launcher.planning.rendering.parts import cann_folders, run_folder, script_parts
from launcher.planning.rendering.sh import render_sh, sh_files
from launcher.planning.rendering.templates import fill_template
from launcher.specs import Cluster, Recipe


def render_docker(plan: LaunchPlan, recipe: Recipe, cluster: Cluster) -> str:
    """One script for all hosts, with the ranks' script in it. Raises PlanError when the cluster names no image."""
    inner = in_container(plan)
    return _script(inner, recipe, cluster, render_sh(inner, cann_folders(cluster)))


def docker_files(plan: LaunchPlan, recipe: Recipe, cluster: Cluster) -> tuple[Artifact, ...]:
    """`docker.sh`, and the scripts that it starts in the containers. Raises PlanError when there is no image."""
    inner = in_container(plan)
    return (
        Artifact("docker.sh", _script(inner, recipe, cluster, None), is_executable=True),
        *sh_files(inner, cann_folders(cluster)),
    )


def _script(plan: LaunchPlan, recipe: Recipe, cluster: Cluster, ranks: str | None) -> str:
    containers = {host: container_of(cluster, host) for host in plan.hosts}
    folders = dict.fromkeys((run_folder(plan), str(recipe.directory)))
    return fill_template(
        "docker.sh.j2",
        plan=script_parts(plan),
        arguments={host: docker_arguments(plan, host, container) for host, container in containers.items()},
        images={host: container.image for host, container in containers.items()},
        run_folder=run_folder(plan),
        mounts=[_bind(folder) for folder in folders],
        ranks=ranks,
    )


def _bind(folder: str) -> str:
    """A mount of a folder under its own path; `--mount` is read as a line of CSV."""
    fields = ("type=bind", f"source={folder}", f"target={folder}")
    return ",".join('"' + field.replace('"', '""') + '"' if set(field) & set(',"\n\r') else field for field in fields)
