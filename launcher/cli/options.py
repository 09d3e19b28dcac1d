"""Options and arguments that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer


def whole_number(option: str, least: int) -> Callable[[str], int]:
    """What turns an option's text into a number from `least` up; it raises UsageError for any other text."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or len(text) > 18 or int(text) < least:
            raise_not(option, text, f"a whole number from {least} up")
        return int(text)

    return parse


def raise_not(option: str, text: str, expected: str) -> NoReturn:
    """Say that an option's text is not what it has to be. Raises UsageError."""
    from launcher.errors import UsageError

    raise UsageError(f"{option} is '{text}'", expected=expected)


def one_of(option: str, *words: str) -> Callable[[str], str]:
    """What lets only these words be an option's text; it raises UsageError for any other."""

    def parse(text: str) -> str:
        if text not in words:
            raise_not(option, text, f"{', '.join(words[:-1])} or {words[-1]}")
        return text

    return parse


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
ClusterArgument = Annotated[
    Path | None,
    typer.Argument(metavar="CLUSTER", help="A cluster spec: a YAML file; default: this machine.", show_default=False),
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
NameOption = Annotated[
    str | None, typer.Option("--name", metavar="NAME", help="Call the run this.", show_default=False)
]
MaxRestartsOption = Annotated[
    int | None,
    typer.Option(
        "--max-restarts",
        metavar="N",
        parser=whole_number("--max-restarts", 0),
        help="Restart a failed run at most N times.",
        show_default=False,
    ),
]
FixOption = Annotated[
    int | None,
    typer.Option(
        "--fix",
        metavar="N",
        parser=whole_number("--fix", 1),
        help="Change the recipe as fix N of the diagnosis says.",
        show_default=False,
    ),
]
AutoFixOption = Annotated[
    str | None,
    typer.Option(
        "--auto-fix",
        metavar="[off|ask|apply]",
        parser=one_of("--auto-fix", "off", "ask", "apply"),
        help="What becomes of fixes that a diagnosis suggests; default: what the recipe says, else off.",
        show_default=False,
    ),
]
RunArgument = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="A run's id or how it begins; default: the latest run.", show_default=False),
]
DetachOption = Annotated[bool, typer.Option("-d", "--detach", help="Print the run's id and do not follow the run.")]
WaitOption = Annotated[
    bool, typer.Option("--wait", help="Wait in line for devices that other runs have, instead of refusing.")
]
PreflightOption = Annotated[
    str | None,
    typer.Option(
        "--preflight",
        metavar="[off|fast|full]",
        parser=one_of("--preflight", "off", "fast", "full"),
        help="How closely to look at the hosts first; default: what the recipe says, else fast.",
        show_default=False,
    ),
]
AttemptOption = Annotated[
    int | None,
    typer.Option(
        "--attempt",
        metavar="N",
        parser=whole_number("--attempt", 1),
        help="Of this attempt; default: the latest.",
        show_default=False,
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
