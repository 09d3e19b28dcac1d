"""`npu-launch plan`: all that a run would do, doing nothing."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from launcher.cli.options import (
    ClusterOption,
    EnvOption,
    MaxRestartsOption,
    NameOption,
    RecipeArgument,
    SetOption,
    raise_not,
    whole_number,
)

if TYPE_CHECKING:
    from launcher.specs import Cluster, Recipe


class PlanFormat(str, Enum):
    """How a plan is written out."""

    TEXT = "text"
    JSON = "json"
    SH = "sh"
    DOCKER = "docker"
    SLURM = "slurm"
    K8S = "k8s"

    @property
    def is_script(self) -> bool:
        """Whether it is something to be run, rather than to be read."""
        return self not in (PlanFormat.TEXT, PlanFormat.JSON)


def _format(text: str) -> PlanFormat:
    try:
        return PlanFormat(text)
    except ValueError:
        raise_not("-o", text, "text, json, sh, docker, slurm or k8s")


def _folder(text: str) -> Path:
    return Path(text) if text else raise_not("--out", text, "a folder, . for this one")


def plan(
    recipe: RecipeArgument,
    cluster: ClusterOption = None,
    set_: SetOption = None,
    env: EnvOption = None,
    name: NameOption = None,
    max_restarts: MaxRestartsOption = None,
    output: Annotated[
        PlanFormat,
        typer.Option(
            "-o",
            "--output",
            metavar="[text|json|sh|docker|slurm|k8s]",
            parser=_format,
            help="For people, for programs, or as what starts it elsewhere.",
            show_default="text",
        ),
    ] = PlanFormat.TEXT,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            parser=_folder,
            help="Write files into this folder, not one text.",
            show_default=False,
        ),
    ] = None,
    sbatch: Annotated[
        list[str] | None,
        typer.Option(
            "--sbatch",
            metavar="NAME=VALUE",
            help="With -o slurm, an option of sbatch such as gres=npu:8; may be repeated.",
            show_default=False,
        ),
    ] = None,
    diff: Annotated[
        str | None,
        typer.Option(
            "--diff",
            metavar="RUN",
            help="Show what has changed since a run: its id, how it begins, or latest.",
            show_default=False,
        ),
    ] = None,
    explain: Annotated[
        int | None,
        typer.Option(
            "--explain",
            metavar="RANK",
            parser=whole_number("--explain", 0),
            help="Show each variable of a rank with where it comes from.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Show what a run would do, starting nothing.

    \b
    npu-launch plan recipes/resnext_8p.yaml
    npu-launch plan recipes/resnext_8p.yaml -c cluster.yaml -o json
    npu-launch plan recipes/resnext_8p.yaml -o sh --out scripts
    npu-launch plan recipes/resnext_8p.yaml -c cluster.yaml -o slurm > job.sbatch
    npu-launch plan recipes/resnext_8p.yaml --diff latest
    npu-launch plan recipes/resnext_8p.yaml --explain 0
    """
    from launcher.cli.output import put, talk
    from launcher.cli.run import overrides, resolve

    _refuse_what_does_not_go_together(output, out, sbatch, diff, explain)
    loaded, resolved = resolve(recipe, cluster, overrides(set_ or (), max_restarts), env or ())
    if output.is_script:
        from launcher.cli.plan_folder import write_folder
        from launcher.cli.plan_scripts import Scripts, told

        scripts = Scripts(loaded, resolved, name or loaded.name, tuple(sbatch or ()))
        if out is None:
            put(scripts.text(output).rstrip("\n"))
        else:
            files = scripts.files(output)
            write_folder(out, files)
            talk(told(out, output, [file.name for file in files], len(scripts.cluster.hosts) > 1))
        return 0
    put(_read(loaded, resolved, name, diff, explain, as_json=output is PlanFormat.JSON).rstrip("\n"))
    return 0


def _refuse_what_does_not_go_together(
    output: PlanFormat, out: Path | None, sbatch: list[str] | None, diff: str | None, explain: int | None
) -> None:
    from launcher.errors import UsageError

    if out is not None and not output.is_script:
        raise UsageError("--out writes scripts", expected="-o sh, docker, slurm or k8s with it")
    if sbatch and output is not PlanFormat.SLURM:
        raise UsageError("--sbatch is for -o slurm")
    if diff is not None and explain is not None:
        raise UsageError("--diff and --explain do not go together")
    if output.is_script and (diff is not None or explain is not None):
        raise UsageError(f"{'--diff' if explain is None else '--explain'} is read, not run", expected="-o text or json")


def _read(
    recipe: Recipe, cluster: Cluster, name: str | None, diff: str | None, explain: int | None, *, as_json: bool
) -> str:
    """The plan, or what is asked about it, for a person or a program."""
    from launcher.planning.rendering import render_text
    from launcher.supervise.launch import preview

    made = preview(recipe, cluster, name)
    if explain is not None:
        from launcher.planning import explain as explanations

        explained = explanations.explain(made, recipe, cluster, explain)
        return explained.model_dump_json(indent=2) if as_json else explanations.render_explanation(explained)
    if diff is not None:
        from launcher.cli.plan_since import changes_since

        return changes_since(diff, made, recipe, cluster, as_json=as_json)
    return made.model_dump_json(indent=2) if as_json else render_text(made)
