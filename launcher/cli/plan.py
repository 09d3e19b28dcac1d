"""`npu-launch plan`: all that a run would do, doing nothing."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from launcher.cli.options import (
    ClusterOption,
    EnvOption,
    MaxRestartsOption,
    NameOption,
    RecipeArgument,
    SetOption,
    raise_not,
)


class PlanFormat(str, Enum):
    """How a plan is written out."""

    TEXT = "text"
    JSON = "json"
    SH = "sh"


def _format(text: str) -> PlanFormat:
    try:
        return PlanFormat(text)
    except ValueError:
        raise_not("-o", text, "text, json or sh")


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
            metavar="[text|json|sh]",
            parser=_format,
            help="For people, for programs, or as a shell script.",
            show_default="text",
        ),
    ] = PlanFormat.TEXT,
) -> int:
    """Show what a run would do, starting nothing.

    \b
    npu-launch plan recipes/resnext_8p.yaml
    npu-launch plan recipes/resnext_8p.yaml -c cluster.yaml -o json
    """
    from launcher.cli.output import put
    from launcher.cli.run import overrides, resolve
    from launcher.planning import render_sh, render_text
    from launcher.supervise.launch import preview

    loaded, resolved = resolve(recipe, cluster, overrides(set_ or (), max_restarts), env or ())
    made = preview(loaded, resolved, name)
    if output is PlanFormat.JSON:
        put(made.model_dump_json(indent=2))
    else:
        put((render_sh(made) if output is PlanFormat.SH else render_text(made)).rstrip("\n"))
    return 0
