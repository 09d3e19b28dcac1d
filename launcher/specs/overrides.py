"""What the command line changes in a recipe: `--set` and `--env`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from launcher.errors import SpecError
from launcher.specs.document import Document, Path, parse_value
from launcher.specs.dotted import steps


def apply_sets(document: Document, model: type[BaseModel], assignments: Iterable[str]) -> None:
    """Change a document by `dotted.key=value` texts; from then on these values have the option as their place.

    Values are YAML: `8` is a number, `"8"` a text, `[a, b]` a list. Whether the key exists is for validation to say.
    Raises SpecError.
    """
    for assignment in assignments:
        dotted, equals, text = assignment.partition("=")
        place = f"--set {assignment}"
        if not equals or not all(dotted.split(".")):
            raise SpecError("is no assignment", where=place, expected="--set KEY=VALUE, such as args.batch_size=8")
        path = steps(model, dotted)
        verbatim = path[0] == "env" and len(path) == 2
        _put(document, path, text if verbatim else parse_value(text, place), place)


def apply_env(document: Document, assignments: Iterable[str]) -> None:
    """Set environment variables by `NAME=value` texts, which are taken as they stand. Raises SpecError."""
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        place = f"--env {assignment}"
        if not equals or not name:
            raise SpecError("is no assignment", where=place, expected="--env NAME=VALUE")
        _put(document, ("env", name), text, place)


def _put(document: Document, path: Path, value: Any, place: str) -> None:
    owner: Any = document.root
    for depth, step in enumerate(path[:-1], start=1):
        here = path[:depth]
        if owner.get(step) is None:
            owner[step] = {}
            document.keys[here] = document.values[here] = place
        owner = owner[step]
        if not isinstance(owner, dict):
            dotted = ".".join(map(str, here))
            what = "a list" if isinstance(owner, list) else "one value"
            raise SpecError(f"{dotted} is {what} and has no keys", where=place, remedy=f"set {dotted} as a whole")
    owner[path[-1]] = value
    for places in (document.keys, document.values):
        for old in [old for old in places if old[: len(path)] == path]:
            del places[old]
        places[path] = place
