"""What every spec has in common: strict, frozen, and aware of the file that it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr

Self = TypeVar("Self", bound="Spec")


class Part(BaseModel):
    """A section of a spec: unknown keys are errors, values are never converted in silence, nothing can be changed."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", defer_build=True)


class Spec(Part):
    """A file that people write; two specs are equal when they say the same, wherever they were read from."""

    _source: Path | None = PrivateAttr(default=None)
    _places: Mapping[tuple[str | int, ...], str] = PrivateAttr(default_factory=dict)

    @property
    def source(self) -> Path | None:
        """The file this was read from, absolute; None for a spec made in Python."""
        return self._source

    def read_from(self: Self, source: Path, places: Mapping[tuple[str | int, ...], str] | None = None) -> Self:
        """The same spec, which knows its file, and where in it each value is."""
        copy = self.model_copy()
        copy._source = source
        copy._places = places or {}
        return copy

    def place(self, *path: str | int) -> str:
        """Where a value was written, `file:line:column` or the option; else the file, when there is one."""
        return self._places.get(path) or str(self.source or "")

    def written(self: Self) -> Self:
        """The same spec as a file says it, without what follows from other keys of it."""
        return self

    def __eq__(self, other: Any) -> bool:
        return type(self) is type(other) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((type(self), tuple(self.__dict__.values())))
