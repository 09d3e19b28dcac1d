"""What validation found wrong, as sentences with places for the person who wrote the spec."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from pydantic import BaseModel, Discriminator, Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from launcher.errors import SpecError
from launcher.specs.document import Document, Path
from launcher.specs.dotted import members
from launcher.specs.fields import Form
from launcher.specs.frozen import FrozenMap
from launcher.specs.nearest import nearest

MOST_SHOWN: Final = 10
_UNQUOTED: Final = r"[+-]?[0-9.]+(e[+-]?[0-9]+)?|true|false"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a spec.

    `missing` is the path of a key that is not there, and `meant` the one that an unknown key was most likely meant to
    be: where both are the same, there is one mistake and not two.
    """

    what: str
    where: str
    expected: str = ""
    remedy: str = ""
    missing: Path = ()
    meant: Path = ()

    def __str__(self) -> str:
        parts = [self.what, self.expected and f"expected {self.expected}", self.remedy]
        return f"{self.where}: {'; '.join(part for part in parts if part)}"


def spec_error(model: type[BaseModel], document: Document, error: ValidationError) -> SpecError:
    """All problems of a spec in one error; the first ten are spelt out."""
    problems = [
        _problem(model, document, details)
        for details in error.errors(include_url=False)
        if not (details["type"] == "too_short" and details["input"])  # pydantic counts only the items that are sound
    ]
    mistyped = {problem.meant for problem in problems}
    problems = [problem for problem in problems if problem.missing not in mistyped or not problem.missing]
    problems.sort(key=lambda problem: _reading_order(problem.where))
    if len(problems) == 1:
        only = problems[0]
        return SpecError(only.what, where=only.where, expected=only.expected, remedy=only.remedy)
    lines = [f"{len(problems)} problems", *(f"  {problem}" for problem in problems[:MOST_SHOWN])]
    if len(problems) > MOST_SHOWN:
        lines.append(f"  and {len(problems) - MOST_SHOWN} more")
    return SpecError("\n".join(lines), where=document.name)


def _problem(model: type[BaseModel], document: Document, details: ErrorDetails) -> Problem:
    context = details.get("ctx", {})
    location = (*details["loc"], *context.get("at", ()))
    path, annotation = _follow(model, location)
    dotted = _dotted(path)
    kind, value = details["type"], details["input"]
    where = document.place(path, of_key=kind == "extra_forbidden" or "[key]" in location)
    if kind == "extra_forbidden":
        return _unknown_key(annotation, path, where)
    if kind == "missing":
        return Problem(f"{dotted} is missing", where, form_of(annotation), f"add `{path[-1]}: ...`", missing=path)
    if kind == "refused" and context.get("at"):
        return Problem(f"{dotted} {context['reason']}", where)
    if kind == "refused":
        return Problem(f"{dotted} is {_shown(value)}, which {context['reason']}", where, form_of(annotation))
    return Problem(f"{dotted} is {_shown(value)}", where, form_of(annotation), _remedy(kind, value))


def _remedy(kind: str, value: object) -> str:
    if value is None:
        return "give a value, or remove the key"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return "put it in quotes"
    if kind in ("int_type", "float_type", "bool_type") and isinstance(value, str) and re.fullmatch(_UNQUOTED, value):
        return "remove the quotes"
    return ""


def _unknown_key(owner: Any, path: Path, where: str) -> Problem:
    known = [name for member in members(owner) if _is_model(member) for name in member.model_fields]
    close = nearest(str(path[-1]), known)
    below = f" in {_dotted(path[:-1])}" if path[:-1] else ""
    return Problem(
        f"unknown key {path[-1]}{below}",
        where,
        expected="" if close else f"one of {', '.join(known)}",
        remedy=f"did you mean {close}?" if close else "",
        meant=(*path[:-1], close) if close else (),
    )


def _reading_order(where: str) -> tuple[int, int]:
    """Lines and columns as numbers; options come first."""
    numbers = where.rsplit(":", 2)[1:]
    return (int(numbers[0]), int(numbers[1])) if len(numbers) == 2 and all(map(str.isdigit, numbers)) else (0, 0)


def _follow(model: type[BaseModel], location: Path) -> tuple[Path, Any]:
    """The path in the file that pydantic's location stands for, and the annotation there.

    A location also holds the tags of unions and the marker of keys, which no file has. At an unknown key the
    annotation is that of its owner.
    """
    path: list[str | int] = []
    owner: Any = model
    annotation: Any = model
    for step in location:
        tagged = _tagged(annotation, step)
        if tagged is not None:
            annotation = tagged
        elif step == "[key]":
            annotation = next(get_args(member)[0] for member in members(owner) if get_origin(member) is FrozenMap)
        else:
            path.append(step)
            owner, annotation = annotation, _below(annotation, step) or annotation
    return tuple(path), annotation


def _tagged(annotation: Any, step: str | int) -> Any:
    """The member of a tagged union that a step of a location stands for; None when it stands for something else."""
    marks = getattr(annotation, "__metadata__", ())
    union = annotation.__origin__ if marks else annotation
    if get_origin(union) not in (Union, UnionType):
        return None
    if any(isinstance(mark, Discriminator) for mark in marks):
        return next((member for member in get_args(union) if Tag(str(step)) in member.__metadata__), None)
    return next(filter(None, (_tagged(member, step) for member in get_args(union))), None)


def _below(annotation: Any, step: str | int) -> Any:
    for member in members(annotation):
        if _is_model(member) and step in member.model_fields:
            return annotation_of(member.model_fields[str(step)])
        if get_origin(member) is FrozenMap and isinstance(step, str):
            return get_args(member)[1]
        if get_origin(member) is tuple and isinstance(step, int):
            return get_args(member)[0]
    return None


def annotation_of(field: FieldInfo) -> Any:
    """A field's annotation with the metadata that pydantic has taken off it."""
    marks = [*field.metadata, *([field.discriminator] if field.discriminator else [])]
    return Annotated[(field.annotation, *marks)] if marks else field.annotation


def form_of(annotation: Any) -> str:
    """What a value of this annotation looks like, in words; the outermost words win."""
    forms = [mark.words for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, Form)]
    if forms:
        return forms[-1]
    inner = annotation.__origin__ if hasattr(annotation, "__metadata__") else annotation
    inner_forms = (form_of(member) for member in get_args(inner))
    return next((form for form in inner_forms if form), "a mapping" if _is_model(inner) else "")


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _dotted(path: Path) -> str:
    return ".".join(map(str, path)) or "the file"


def _shown(value: Any) -> str:
    """A value as YAML spells it, shortened."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:56]}...{text[-1]}"
