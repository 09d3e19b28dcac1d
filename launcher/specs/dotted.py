"""Dotted paths, which name a value inside a spec: `args.batch_size`, `restart.policy`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from launcher.specs.frozen import FrozenMap
from launcher.specs.nearest import nearest


class NoSuchPath(LookupError):
    """There is nothing at a dotted path; the message says what is there instead."""


def steps(model: type[BaseModel], dotted: str) -> tuple[str, ...]:
    """The keys that a dotted path stands for; below a mapping such as `args` the rest is one key, dots and all."""
    head, dot, rest = dotted.partition(".")
    if not dot:
        return (head,)
    field = model.model_fields.get(head)
    allowed = members(field.annotation) if field else []
    for member in allowed:
        if isinstance(member, type) and issubclass(member, BaseModel):
            return (head, *steps(member, rest))
    if any(get_origin(member) is FrozenMap for member in allowed):
        return (head, rest)
    return (head, *rest.split("."))


def look_up(spec: BaseModel, dotted: str) -> Any:
    """The value at a dotted path; raises NoSuchPath."""
    value: Any = spec
    for step in steps(type(spec), dotted):
        known = type(value).model_fields if isinstance(value, BaseModel) else value
        if not isinstance(known, Mapping) or step not in known:
            close = nearest(step, known) if isinstance(known, Mapping) else None
            hint = f"; did you mean {close}?" if close else ""
            raise NoSuchPath(f"names {dotted}, but there is no {step}{hint}")
        value = getattr(value, step) if isinstance(value, BaseModel) else value[step]
    return value


def members(annotation: Any) -> list[Any]:
    """The types that an annotation allows, without their metadata."""
    if hasattr(annotation, "__metadata__"):
        return members(annotation.__origin__)
    arguments = get_args(annotation)
    if arguments and get_origin(annotation) not in (FrozenMap, tuple):
        return [member for argument in arguments for member in members(argument)]
    return [annotation]
