"""Which of its two shapes a value has that may be written in two ways."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def list_or_scalar(value: Any) -> str:
    """The tag of a field that takes one value or a list."""
    return "list" if isinstance(value, list | tuple) else "scalar"


def mapping_or_scalar(value: Any) -> str:
    """The tag of a field that takes one value or a mapping, or the model made of one."""
    return "scalar" if value is None or isinstance(value, str | bool | int | float | list | tuple) else "mapping"


def list_or_mapping(value: Any) -> str | None:
    """The tag of a field that takes a mapping or a list; None, which pydantic reports, for anything else."""
    if isinstance(value, list | tuple):
        return "list"
    return "mapping" if isinstance(value, Mapping) else None
