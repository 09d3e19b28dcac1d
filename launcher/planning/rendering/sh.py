"""A launch plan as bash scripts that do the same by hand."""

from __future__ import annotations

from launcher.planning.model import LaunchPlan, RankProcess, ServiceProcess
from launcher.planning.rendering.artifact import Artifact
from launcher.planning.rendering.parts import CannFolders, ranks_by_host, script_parts, spans
from launcher.planning.rendering.templates import fill_template
from launcher.specs import FrozenMap


def render_sh(plan: LaunchPlan, cann: CannFolders = FrozenMap()) -> str:  # noqa: B008 # it is frozen
    """One script for all hosts: on a plan of several, it takes the name of the host that it is run on."""
    return fill_template("rank_loop.sh.j2", plan=script_parts(plan, cann=cann))


def sh_files(plan: LaunchPlan, cann: CannFolders = FrozenMap()) -> tuple[Artifact, ...]:  # noqa: B008 # it is frozen
    """A script for each rank and service, `launch.sh` that starts those of a host, and the rank table."""
    parts = script_parts(plan, cann=cann)
    on_host = {host: parts.on(host) for host in plan.hosts}

    def script(process: RankProcess | ServiceProcess, title: str, *, folders: tuple[str, ...], cpus: str = "") -> str:
        return fill_template(
            "rank.sh.j2", plan=on_host[process.host], rank=process, title=title, folders=folders, bound=cpus
        )

    launch = fill_template(
        "launch.sh.j2",
        plan=parts,
        ranks={host: [rank.rank for rank in ranks] for host, ranks in ranks_by_host(plan).items()},
        service_hosts={service.name: service.host for service in plan.services},
    )
    found = [Artifact("launch.sh", launch, is_executable=True)]
    if plan.rank_table is not None:
        found.append(Artifact("hccl.json", plan.rank_table.to_json()))
    for service in plan.services:
        text = script(service, f"{service.name} on {service.host}", folders=(service.cwd,))
        found.append(Artifact(f"{service.name}.sh", text, is_executable=True))
    for rank in plan.ranks:
        title = f"Rank {rank.rank} on {rank.host}{'' if rank.device is None else f', device {rank.device}'}"
        text = script(rank, title, folders=(rank.cwd, rank.cann_log_dir), cpus=spans(rank.cpus or ()))
        found.append(Artifact(f"rank_{rank.rank}.sh", text, is_executable=True))
    return tuple(found)
