"""A sweep: values of `args` and `env` in lists, of which each rank runs one combination."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field

from launcher.specs.counted import counted
from launcher.specs.fields import ArgumentValue, Form, Scalar, Text, refuse, written_out
from launcher.specs.frozen import FrozenMap
from launcher.specs.nearest import nearest
from launcher.specs.placeholders import used

if TYPE_CHECKING:
    from launcher.specs.recipe import Recipe

MOST_COMBINATIONS: Final = 1_000_000

Value = Scalar | bool | tuple[Scalar, ...] | None
Combination = Mapping[str, Value]
"""The values of one rank by their dotted paths."""

_PATH: Final = r"^(args|env)\..+"


def _differs_between_ranks(path: str) -> str:
    if not re.match(_PATH, path):
        raise refuse("is nothing in which ranks can differ")
    return path


def _env_written_out(value: Any) -> Any:
    """Values of variables are texts, as they are in `env`."""
    if not isinstance(value, Mapping):
        return value
    return {
        path: [written_out(each) for each in values]
        if str(path).startswith("env.") and isinstance(values, list | tuple)
        else values
        for path, values in value.items()
    }


SweptPath = Annotated[Text, AfterValidator(_differs_between_ranks), Form("args.NAME or env.NAME", {"pattern": _PATH})]
SweptValues = Annotated[
    tuple[ArgumentValue, ...], Field(min_length=1, strict=False), Form("a list of values, one at least")
]
Sweep = Annotated[
    FrozenMap[SweptPath, SweptValues],
    BeforeValidator(_env_written_out),
    Form("a mapping of args.NAME and env.NAME to lists of values"),
]


def combination_count(sweep: Mapping[str, Sequence[object]]) -> int:
    """How many combinations there are of one value from each list."""
    return prod(map(len, sweep.values()))


def lengths(sweep: Mapping[str, Sequence[object]]) -> str:
    """`4 x 2`: how long the lists are."""
    return " x ".join(str(len(values)) for values in sweep.values())


def combination(sweep: Mapping[str, Sequence[Value]], rank: int) -> dict[str, Value]:
    """The values of one rank: the product of the lists in their order, of which the last counts fastest.

    Empty without a sweep. Raises IndexError for a rank that the sweep does not have.
    """
    if not sweep:
        return {}
    if not 0 <= rank < combination_count(sweep):
        raise IndexError(f"rank {rank} of a sweep of {combination_count(sweep)} combinations")
    found: dict[str, Value] = {}
    for path, values in reversed(tuple(sweep.items())):
        rank, place = divmod(rank, len(values))
        found[path] = values[place]
    return dict(reversed(found.items()))


def in_words(values: Mapping[str, Any]) -> str:
    """`lr=0.1 seed=2`; the whole path where `args` and `env` have the same name."""
    names = [path.partition(".")[2] for path in values]
    return " ".join(
        f"{name if names.count(name) == 1 else path}={_shown(value)}"
        for name, (path, value) in zip(names, values.items(), strict=True)
    )


def _shown(value: Any) -> str:
    """A value as a recipe has it, without spaces; texts with spaces are quoted."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_shown, value))}]"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return shlex.quote(value) if isinstance(value, str) else str(value)


def with_ranks(values: Any) -> Any:
    """The values of a recipe, with `ranks` where a sweep says how many there are; what is no sweep stays as it is."""
    sweep = values.get("sweep") if isinstance(values, Mapping) else None
    if not sweep or "ranks" in values:
        return values
    lists = [each for each in sweep.values() if isinstance(each, list | tuple)] if isinstance(sweep, Mapping) else []
    return {**values, "ranks": min(max(prod(map(len, lists)), 1), MOST_COMBINATIONS)}


def check_sweep(recipe: Recipe) -> None:
    """Refuse a sweep that does not fit the rest of its recipe. Raises PydanticCustomError with the place."""
    for path, values in recipe.sweep.items():
        _check_values(recipe, path, values)
    combinations = combination_count(recipe.sweep)
    if combinations > MOST_COMBINATIONS:
        raise refuse(f"has {combinations} combinations, more than the {MOST_COMBINATIONS} ranks of a job", "sweep")
    if combinations != recipe.ranks:
        of_what = f"{counted(combinations, 'combination')} ({lengths(recipe.sweep)})"
        why = f"is {recipe.ranks}, but the sweep has {of_what}: leave ranks out, or change the lists"
        raise refuse(why, "ranks")
    for name, target in recipe.knobs.items():
        if target in recipe.sweep:
            raise refuse(f"names {target}, of which each rank of the sweep has its own value", "knobs", name)
    if recipe.checkpoint is not None and "rank" not in used(recipe.checkpoint.dir):
        why = "is one folder for all ranks of the sweep, which would resume from each other's checkpoints"
        raise refuse(f"{why}: add {{rank}}, as in {{run_dir}}/checkpoints/{{rank}}", "checkpoint", "dir")


def _check_values(recipe: Recipe, path: str, values: tuple[Value, ...]) -> None:
    if path.startswith("args.") and isinstance(recipe.args, tuple):
        raise refuse(f"names {path}, but args is a list: write it as a mapping of options to values", "sweep", path)
    section, _, name = path.partition(".")
    there = getattr(recipe, section)
    if name not in there:
        close = nearest(name, there)
        remedy = f"did you mean {section}.{close}?" if close else "add it, with the value that a single run has"
        raise refuse(f"takes the place of {path}, which is not there: {remedy}", "sweep", path)
    seen: set[tuple[type, Value]] = set()
    for position, value in enumerate(values):
        if path.startswith("env.") and not isinstance(value, str):
            raise refuse("is no value that a variable can have", "sweep", path, position)
        if (type(value), value) in seen:
            raise refuse(f"is {_shown(value)} again: two ranks would do the same", "sweep", path, position)
        seen.add((type(value), value))
