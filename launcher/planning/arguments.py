"""The command line of a rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from launcher.planning.stencil import Stencils
from launcher.specs import FrozenMap, Recipe


class CommandLine:
    """Program, script and arguments, with placeholders replaced for each rank.

    The option that `checkpoint.resume_arg` names comes last, and takes the place of the recipe's own value for it.
    """

    def __init__(self, recipe: Recipe, shared: Mapping[str, str], resume_from: str | None) -> None:
        self._script = str(recipe.script_path)
        self._python = recipe.python_command
        self._runs_python = recipe.runs_python
        option = recipe.checkpoint.resume_arg if recipe.checkpoint is not None and resume_from is not None else None
        self._arguments = Stencils(_arguments(recipe, without=option), shared)
        self._resume = () if option is None else (f"--{option}={resume_from}",)

    def of_rank(self, words: Mapping[str, str], python: str) -> tuple[str, ...]:
        """The command line of the rank that has these words; `python` runs scripts of recipes that name none."""
        program = (self._python or python, self._script) if self._runs_python else (self._script,)
        return (*program, *self._arguments.filled(words), *self._resume)


def _arguments(recipe: Recipe, *, without: str | None) -> Iterator[tuple[str, str]]:
    """Each argument as what is passed on as it stands, and what may hold placeholders."""
    if not isinstance(recipe.args, FrozenMap):
        yield from (("", text) for text in recipe.args)
        return
    for name, value in recipe.args.items():
        if value is None or value is False or name == without:
            continue
        if value is True:
            yield f"--{name}", ""
        elif isinstance(value, tuple):
            yield f"--{name}", ""
            yield from (("", str(item)) for item in value)
        else:
            yield f"--{name}=", str(value)
