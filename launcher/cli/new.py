"""`npu-launch new`: write a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from launcher.cli.options import one_of


def new(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="What to call it: NAME.yaml is written, in a folder when NAME has a /; default: as the script.",
            show_default=False,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="RECIPE",
            help="Begin with this recipe: one of npu-launch's own, such as resnet50_8p, or a file.",
            show_default=False,
        ),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(
            "--from-script",
            metavar="FILE",
            help="Write what this shell script launches; it is read, never run.",
            show_default=False,
        ),
    ] = None,
    given: Annotated[
        list[str] | None,
        typer.Option(
            "--arg",
            metavar="TEXT",
            help="With --from-script: what the script would be given, $1 first; may be repeated.",
            show_default=False,
        ),
    ] = None,
    framework: Annotated[
        str | None,
        typer.Option(
            "--framework",
            metavar="[mindspore|pytorch|tensorflow|plain]",
            parser=one_of("--framework", "mindspore", "pytorch", "tensorflow", "plain"),
            help="What it trains with; default: mindspore, or what a script tells.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite NAME.yaml when it is there.")] = False,
) -> int:
    """Write a recipe: from a template, another recipe, or a shell script that launches.

    \b
    npu-launch new my-model --framework pytorch
    npu-launch new resnet --from resnet50_8p
    npu-launch new --from-script run_distribute_train.sh
    npu-launch new resnet --from-script scripts/train.sh --arg hccl.json --arg /data/imagenet
    """
    from launcher.cli.new_recipes import of_recipe, of_script, of_template, target_of
    from launcher.errors import UsageError
    from launcher.specs import Framework

    if source is not None and script is not None:
        raise UsageError("--from and --from-script are both given", expected="one of them")
    if given is not None and script is None:
        raise UsageError("--arg is for --from-script")
    if framework is not None and source is not None:
        raise UsageError("--framework and --from do not go together", expected="the recipe's own framework")
    if name is None and script is None:
        raise UsageError("NAME is missing", expected="what to call the recipe", remedy="npu-launch new my-model")
    target = target_of(name if name is not None else script.stem if script is not None else "", force=force)
    chosen = Framework(framework) if framework else None
    if script is not None:
        return of_script(target, script, given, chosen)
    if source is not None:
        return of_recipe(target, source)
    return of_template(target, chosen or Framework.MINDSPORE)
