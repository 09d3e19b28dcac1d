"""The command line of a rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from launcher.specs import FrozenMap, Recipe
from launcher.specs.placeholders import fill


def argv_of(recipe: Recipe, words: Mapping[str, str], *, python: str, resume_from: str | None) -> tuple[str, ...]:
    """Program, script and arguments, with placeholders replaced.

    The option that `checkpoint.resume_arg` names comes last, and takes the place of the recipe's own value for it.
    """
    script = str(recipe.script_path)
    program = (recipe.python_command or python, script) if recipe.runs_python else (script,)
    if recipe.checkpoint is None or resume_from is None:
        return (*program, *_arguments(recipe, words, without=None))
    option = recipe.checkpoint.resume_arg
    return (*program, *_arguments(recipe, words, without=option), f"--{option}={resume_from}")


def _arguments(recipe: Recipe, words: Mapping[str, str], *, without: str | None) -> Iterator[str]:
    if not isinstance(recipe.args, FrozenMap):
        yield from (fill(text, words) for text in recipe.args)
        return
    for name, value in recipe.args.items():
        if value is None or value is False or name == without:
            continue
        if value is True:
            yield f"--{name}"
        elif isinstance(value, tuple):
            yield f"--{name}"
            yield from (fill(str(item), words) for item in value)
        else:
            yield f"--{name}={fill(str(value), words)}"
