"""The parts that tables are made of: strict models, whose unknown keys are kept and told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError

from launcher.planning.ranktable import rules
from launcher.planning.ranktable.source import RepeatedKeys
from launcher.planning.ranktable.violation import Findings, Path, shown
from launcher.specs.nearest import nearest


class Entry(BaseModel):
    """An object of a table. Nothing is converted; a key that no public source knows is kept, and written again."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", defer_build=True)


class Table(Entry):
    """A whole table; `to_json` is the file."""

    def to_json(self) -> str:
        """The file's text: byte for byte the same for equal tables; a key that has no value is left out."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"


AnyTable = TypeVar("AnyTable", bound=Table)


@dataclass(frozen=True)
class RankEntry:
    """A rank as a table has it, in whatever format; None where the table does not say, or says nothing sound.

    `at` is the path of the device's object, and `values` the object; in the lab form the rank stands above it.
    """

    at: Path
    rank_at: Path
    rank_written: Any
    rank: int | None
    server: str | None
    device: int | None
    ips: tuple[str, ...]
    values: dict[str, Any]


def items(owner: Any, key: str, at: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The objects in a list of an object, each with its path; what has not that shape is passed over."""
    members = owner.get(key) if isinstance(owner, dict) else None
    for position, member in enumerate(members if isinstance(members, list) else ()):
        if isinstance(member, dict):
            yield (*at, key, position), member


def number(value: Any) -> int | None:
    """The whole number that a value is or, as a text of digits, means; None for anything else."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 20 else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def text(value: Any) -> str | None:
    """A text, and None for anything else."""
    return value if isinstance(value, str) else None


def size(value: str) -> int:
    """The bytes of a text, which is what HCCL counts; half a surrogate pair, which JSON cannot hold, has some too."""
    return len(value.encode(errors="surrogatepass"))


def check_shape(model: type[Table], content: str, values: dict[str, Any], found: Findings) -> None:
    """Report every key that is missing or of the wrong type, then those that nobody knows or that come twice.

    `values` are those of `content`, which is JSON.
    """
    try:
        model.model_validate_json(content)
    except ValidationError as error:
        for details in error.errors(include_url=False, include_context=False):
            at = tuple(step for step in details["loc"])
            name = next((step for step in reversed(at) if isinstance(step, str)), "the table")
            kind, value = details["type"], details["input"]
            if kind == "json_invalid":  # half of a surrogate pair or too deep, which Python's parser lets through
                found.add(rules.form.NOT_JSON, (), details["msg"].removeprefix("Invalid JSON: "))
                return
            if kind == "missing":
                found.add(rules.form.MISSING_KEY, at, f"no {name}", name=name)
            elif kind == "string_type":
                found.add(rules.form.NOT_STRING, at, f"{name} is {shown(value)}", name=name)
            elif kind == "int_type":
                found.add(rules.form.NOT_INTEGER, at, f"{name} is {shown(value)}", name=name)
            else:
                expected = "an object" if kind.startswith(("model", "dict")) else "a list"
                found.add(rules.form.SHAPE, at, f"{name} is {shown(value)}", expected=expected)
    _check_keys(model, values, (), found)


def _check_keys(model: type[BaseModel], values: dict[str, Any], at: Path, found: Findings) -> None:
    known = _known(model)
    if isinstance(values, RepeatedKeys):
        found.add(rules.form.REPEATED_KEY, at, "a key comes twice in this object")
    for key, value in values.items():
        if value is None and key in known and not model.model_fields[key].is_required():
            found.add(rules.form.NOT_STRING, (*at, key), f"{key} is null", name=key)
        elif key not in known:
            found.add(rules.form.UNKNOWN_KEY, (*at, key), f"unknown key {key}", meant=_meant(model, key))
        elif (below := known[key]) is not None:
            members = enumerate(value) if isinstance(value, list) else [(None, value)]
            for position, member in members:
                if isinstance(member, dict):
                    _check_keys(below, member, (*at, key) if position is None else (*at, key, position), found)


@lru_cache(maxsize=256)  # a key that one device has, all have
def _meant(model: type[BaseModel], key: str) -> str:
    close = nearest(key, _known(model))
    return f"did you mean {close}?" if close else "remove it, unless another program reads it"


@cache
def _known(model: type[BaseModel]) -> dict[str, type[BaseModel] | None]:
    """The keys of an object, and the model of the objects below each, if any."""
    return {name: _model_in(field.annotation) for name, field in model.model_fields.items()}


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for argument in get_args(annotation) if (model := _model_in(argument))), None)
