"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RecipeArgument = Annotated[Path, typer.Argument(metavar="RECIPE", help="What to run: a YAML file.", show_default=False)]
ClusterOption = Annotated[
    Path | None,
    typer.Option(
        "-c",
        "--cluster",
        metavar="FILE",
        help="Where to run it, instead of the recipe's `cluster`.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Change the recipe, such as args.batch_size=8; may be repeated.",
        show_default=False,
    ),
]
EnvOption = Annotated[
    list[str] | None,
    typer.Option(
        "--env",
        metavar="NAME=VALUE",
        help="Set a variable for all ranks; may be repeated.",
        show_default=False,
    ),
]
RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="A run's id or how it begins; default: the latest run.", show_default=False),
]
DetachOption = Annotated[bool, typer.Option("-d", "--detach", help="Print the run's id and do not follow the run.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
