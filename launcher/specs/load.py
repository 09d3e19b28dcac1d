"""From a file to a spec that is sound, or to one error that says what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from launcher.errors import SpecError
from launcher.specs import document
from launcher.specs.cluster import Cluster
from launcher.specs.cluster_file import ClusterFile
from launcher.specs.document import Document
from launcher.specs.dotted import steps
from launcher.specs.files import read_text
from launcher.specs.overrides import apply_env, apply_sets
from launcher.specs.problems import spec_error
from launcher.specs.recipe import Recipe
from launcher.specs.spec import Spec

LARGEST: Final = 10_000_000

AnySpec = TypeVar("AnySpec", bound=Spec)


def load_recipe(path: Path, overrides: Sequence[str] = (), env: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    `overrides` are `dotted.key=value` texts as `--set` takes them, `env` are `NAME=value` texts as `--env` does.
    Raises SpecError with `file:line:column`, or the option, of what is wrong.
    """
    read = document.parse(_text(path), str(path), verbatim=_is_verbatim)
    if "hosts" in read.root and "script" not in read.root:
        raise SpecError("is a cluster", where=str(path), expected="a recipe", remedy="give it with -c beside a recipe")
    apply_sets(read, Recipe, overrides)
    apply_env(read, env)
    recipe = _validated(Recipe, read).read_from(path.absolute(), read.values)
    _refuse_what_the_sweep_hides(recipe)
    return recipe


def load_cluster(path: Path) -> Cluster:
    """Read a cluster spec. Raises SpecError with `file:line:column` of what is wrong."""
    read = document.parse(_text(path), str(path))
    if "script" in read.root and "hosts" not in read.root:
        raise SpecError("is a recipe", where=str(path), expected="a cluster, with soc and hosts")
    return _validated(ClusterFile, read).cluster.read_from(path.absolute())


def cluster_from_mapping(
    values: Mapping[str, Any], name: str = "cluster", places: Mapping[document.Path, str] | None = None
) -> Cluster:
    """Make a cluster from the values of a file, with the errors of one: `name` stands for it. Raises SpecError.

    `places` are those of paths below `values`, such as ("hosts", 0), where they come from a text.
    """
    return _validated(ClusterFile, Document(name, dict(values), values=dict(places or {}))).cluster


def recipe_from_mapping(values: Mapping[str, Any], name: str = "recipe") -> Recipe:
    """Make a recipe from Python values, with the errors of a file: `name` stands for it. Raises SpecError."""
    return _validated(Recipe, Document(name, dict(values)))


def _validated(model: type[AnySpec], read: Document) -> AnySpec:
    try:
        return model.model_validate(read.root)
    except ValidationError as error:
        raise spec_error(model, read, error) from None


def _refuse_what_the_sweep_hides(recipe: Recipe) -> None:
    """Raise SpecError when an option sets what each rank of the sweep has a value of its own of."""
    for path in recipe.sweep:
        option = recipe.place(*steps(Recipe, path))
        if option.startswith(("--set ", "--env ")):
            raise SpecError(
                f"sets {path}, of which each rank of the sweep has its own value",
                where=option,
                remedy=f"set the list: --set 'sweep.{path}=[...]'",
            )


def _is_verbatim(path: document.Path) -> bool:
    """Environment values and the items of an argument list are texts: `1.10` stays `1.10`."""
    if len(path) == 3 and path[0] == "sweep":
        return str(path[1]).startswith("env.")
    return len(path) == 2 and (path[0] == "env" or (path[0] == "args" and isinstance(path[1], int)))


def _text(path: Path) -> str:
    return read_text(path, kind="a YAML file", most=LARGEST, suffixes=(".yaml", ".yml"))
