"""How much device memory a rank needs: one size, or a size for each part of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Discriminator, Tag

from launcher.specs.fields import Form, PartName, Size, refuse
from launcher.specs.frozen import FrozenMap
from launcher.specs.shape import mapping_or_scalar

Needed = int | Mapping[str, int]
"""Bytes, in all or by part."""


def _has_parts(parts: FrozenMap[str, int]) -> FrozenMap[str, int]:
    if not parts:
        raise refuse("names no part")
    return parts


_Parts = Annotated[
    FrozenMap[PartName, Size], AfterValidator(_has_parts), Form("a mapping of parts to sizes", {"minProperties": 1})
]
_EITHER = Form(
    "a size such as 26 GB, or a mapping of parts to sizes; 1 GB is 1024 MB, as npu-smi, MindSpore and docker count"
)
Memory = Annotated[
    Annotated[Size, _EITHER, Tag("scalar")] | Annotated[_Parts, Tag("mapping")],
    Discriminator(mapping_or_scalar),
    _EITHER,
]


def in_all(memory: Needed) -> int:
    """Bytes of all parts together."""
    return sum(memory.values()) if isinstance(memory, Mapping) else memory


def largest_first(memory: Needed) -> list[tuple[str, int]]:
    """Parts with their bytes, equal ones in the order of the recipe; none where only the sum is given."""
    return sorted(memory.items(), key=lambda part: -part[1]) if isinstance(memory, Mapping) else []
