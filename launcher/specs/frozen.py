"""A mapping that cannot be changed, so that a spec or a plan that holds one is a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar, get_args

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

K = TypeVar("K")
V = TypeVar("V")


class FrozenMap(Mapping[K, V]):
    """A read-only, hashable mapping that keeps its order; pydantic validates it as a dict and dumps it as one."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[K, V] | None = None) -> None:
        self._items: dict[K, V] = dict(items or {})

    def __getitem__(self, key: K) -> V:
        return self._items[key]

    def __iter__(self) -> Iterator[K]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"

    def __reduce__(self) -> tuple[type[FrozenMap[K, V]], tuple[dict[K, V]]]:
        return type(self), (self._items,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        arguments = get_args(source) or (Any, Any)
        as_dict = handler.generate_schema(dict[arguments[0], arguments[1]])  # type: ignore[valid-type]
        from_mapping = core_schema.no_info_before_validator_function(
            lambda value: dict(value) if isinstance(value, FrozenMap) else value, as_dict
        )
        return core_schema.no_info_after_validator_function(
            cls, from_mapping, serialization=core_schema.plain_serializer_function_ser_schema(dict)
        )
