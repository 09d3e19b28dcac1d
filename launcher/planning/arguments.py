"""The command line of a rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from launcher.planning.stencil import Stencils
from launcher.specs import FrozenMap, Recipe


class CommandLine:
    """Program, script and arguments, with placeholders replaced for each rank.

    The option that `checkpoint.resume_arg` names comes last, and takes the place of the recipe's own value for it.
    """

    def __init__(self, recipe: Recipe, shared: Mapping[str, str]) -> None:
        self._recipe = recipe
        self._script = str(recipe.script_path)
        self._python = recipe.python_command
        self._runs_python = recipe.runs_python
        self._option = None if recipe.checkpoint is None else recipe.checkpoint.resume_arg
        self._shared = shared
        self._of_all: dict[str | None, Stencils] = {}

    def of_rank(self, rank: int, words: Mapping[str, str], python: str, resume_from: str | None) -> tuple[str, ...]:
        """The command line of a rank, which has these words; `python` runs scripts of recipes that name none."""
        program = (self._python or python, self._script) if self._runs_python else (self._script,)
        option = None if resume_from is None else self._option
        resume = () if option is None else (f"--{option}={resume_from}",)
        return (*program, *self._arguments(rank, option).filled(words), *resume)

    def _arguments(self, rank: int, without: str | None) -> Stencils:
        """Those of all ranks are looked through once; in a sweep each rank has its own."""
        if self._recipe.sweep:
            return Stencils(_arguments(self._recipe.for_rank(rank), without=without), self._shared)
        if without not in self._of_all:
            self._of_all[without] = Stencils(_arguments(self._recipe, without=without), self._shared)
        return self._of_all[without]


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
