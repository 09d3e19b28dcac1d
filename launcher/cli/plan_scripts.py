"""A recipe and a cluster as scripts and documents that start the job without npu-launch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

from launcher.cli.output import talk
from launcher.logs.safe import safe_line
from launcher.planning.compose import plan
from launcher.planning.model import LaunchPlan
from launcher.planning.place import Place
from launcher.planning.rendering import (
    Artifact,
    cann_folders,
    docker_files,
    k8s_files,
    render_docker,
    render_k8s,
    render_sh,
    render_slurm,
    sh_files,
)
from launcher.planning.rendering.quoting import shell_word
from launcher.runs.store import example_run
from launcher.supervise.launch import preview

if TYPE_CHECKING:
    from launcher.cli.plan import PlanFormat
    from launcher.specs import Cluster, Recipe

_IN_IMAGES: Final = "python3"  # the interpreter that runs npu-launch is no part of an image


@dataclass(frozen=True)
class Scripts:
    """What one plan is written out as, under the name of the run."""

    recipe: Recipe
    cluster: Cluster
    name: str
    sbatch: tuple[str, ...]

    def text(self, output: PlanFormat) -> str:
        """All in one text."""
        recipe, cluster = self.recipe, self.cluster
        match output.value:
            case "sh":
                return render_sh(self._here(), cann_folders(cluster))
            case "docker":
                return render_docker(self._in_containers(), recipe, cluster)
            case "slurm":
                return self._slurm()
            case _:
                return render_k8s(recipe, cluster, name=self._slug, runs=self._runs, python=_IN_IMAGES)

    def files(self, output: PlanFormat) -> tuple[Artifact, ...]:
        """A file for each part."""
        recipe, cluster = self.recipe, self.cluster
        match output.value:
            case "sh":
                return sh_files(self._here(), cann_folders(cluster))
            case "docker":
                return docker_files(self._in_containers(), recipe, cluster)
            case "slurm":
                return (Artifact("job.sbatch", self._slurm(), is_executable=True),)
            case _:
                return k8s_files(recipe, cluster, name=self._slug, runs=self._runs, python=_IN_IMAGES)

    def _here(self) -> LaunchPlan:
        """The plan that `run` would launch."""
        return _with_warnings_said(preview(self.recipe, self.cluster, self.name))

    def _in_containers(self) -> LaunchPlan:
        run = example_run(self.name)
        example = Place.example(self.recipe, directory=str(run.path), python=_IN_IMAGES)
        return _with_warnings_said(plan(self.recipe, self.cluster, example.model_copy(update={"run": run.id})))

    def _slurm(self) -> str:
        return render_slurm(
            self.recipe,
            self.cluster,
            name=self._slug,
            runs=self._runs,
            python=sys.executable,
            options=self.sbatch,
        )

    @cached_property
    def _example(self) -> Path:
        return example_run(self.name).path

    @property
    def _slug(self) -> str:
        """The name as it begins the ids of runs."""
        return self._example.name.rpartition("-")[0]

    @property
    def _runs(self) -> str:
        return str(self._example.parent)


def _with_warnings_said(made: LaunchPlan) -> LaunchPlan:
    for warning in made.warnings:
        talk(f"npu-launch: warning: {safe_line(warning)}")
    return made


def told(folder: Path, output: PlanFormat, names: Sequence[str], has_hosts: bool) -> str:
    """What was written, and what would start it."""
    command, name = {
        "sh": ("", "launch.sh"),
        "docker": ("", "docker.sh"),
        "slurm": ("sbatch ", "job.sbatch"),
        "k8s": ("kubectl apply -f ", names[0]),
    }[output.value]
    path = str(folder / name)
    next_command = command + shell_word(path if path[0] in "./" else f"./{path}")
    host = " HOST    on each host" if has_hosts and output.value in ("sh", "docker") else ""
    ranks = [name for name in names if name.startswith("rank_")]
    shown = [name for name in names if name not in ranks]
    if ranks:
        shown.append(ranks[0] if len(ranks) == 1 else f"{ranks[0]} to {ranks[-1]}")
    return f"npu-launch: wrote {', '.join(shown)} into {safe_line(str(folder))}; next:\n  {next_command}{host}"
