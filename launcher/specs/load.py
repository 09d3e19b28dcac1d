"""From a file to a spec that is sound, or to one error that says what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from launcher.errors import SpecError
from launcher.specs import document
from launcher.specs.cluster import Cluster
from launcher.specs.document import Document
from launcher.specs.nearest import nearest
from launcher.specs.overrides import apply_env, apply_sets
from launcher.specs.problems import spec_error
from launcher.specs.recipe import Recipe
from launcher.specs.spec import Spec

LARGEST: Final = 1_000_000

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
    return _validated(Recipe, read).read_from(path.absolute())


def load_cluster(path: Path) -> Cluster:
    """Read a cluster spec. Raises SpecError with `file:line:column` of what is wrong."""
    read = document.parse(_text(path), str(path))
    if "script" in read.root and "hosts" not in read.root:
        raise SpecError("is a recipe", where=str(path), expected="a cluster, with soc and hosts")
    return _validated(Cluster, read).read_from(path.absolute())


def recipe_from_mapping(values: Mapping[str, Any], name: str = "recipe") -> Recipe:
    """Make a recipe from Python values, with the errors of a file: `name` stands for it. Raises SpecError."""
    return _validated(Recipe, Document(name, dict(values)))


def _validated(model: type[AnySpec], read: Document) -> AnySpec:
    try:
        return model.model_validate(read.root)
    except ValidationError as error:
        raise spec_error(model, read, error) from None


def _is_verbatim(path: document.Path) -> bool:
    """Environment values and the items of an argument list are texts: `1.10` stays `1.10`."""
    return len(path) == 2 and (path[0] == "env" or (path[0] == "args" and isinstance(path[1], int)))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except FileNotFoundError:
        raise SpecError("no such file", where=str(path), expected="a YAML file", remedy=_sibling(path)) from None
    except IsADirectoryError:
        raise SpecError("is a directory", where=str(path), expected="a YAML file", remedy=_members(path)) from None
    except PermissionError:
        raise SpecError("may not be read", where=str(path), remedy="give yourself read permission") from None
    except (OSError, ValueError) as error:
        raise SpecError(f"cannot be read: {error}", where=str(path), expected="a YAML file") from None
    if len(content) > LARGEST:
        raise SpecError("is larger than 1 MB", where=str(path), expected="a YAML file written by a person")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode()) + 1
        raise SpecError(
            f"holds the byte 0x{content[error.start]:02x}, which is not UTF-8",
            where=f"{path}:{line}:{column}",
            expected="UTF-8 text",
            remedy=f"convert it, for instance: iconv -f GB18030 -t UTF-8 {path.name}",
        ) from None


def _sibling(path: Path) -> str:
    """What to do about a file that is not there: the file beside it that was meant, when there is one."""
    beside = {Path(name).stem: name for name in _yaml_files(path.parent)}
    close = nearest(path.stem, beside)
    return f"did you mean {path.parent / beside[close]}?" if close else "check the path"


def _members(path: Path) -> str:
    files = _yaml_files(path)
    return f"name a file in it: {', '.join(files[:5])}" if files else "name a file"


def _yaml_files(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir() if entry.suffix in (".yaml", ".yml"))
    except OSError:
        return []
