"""A spec as YAML that reads back as the same spec."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

from launcher.specs.cluster import Cluster
from launcher.specs.document import resolve
from launcher.specs.folding import fold_hosts
from launcher.specs.spec import Part, Spec

_BARE: Final = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.@+-]*")
_YAML_1_1: Final = ("y", "n", "yes", "no", "on", "off")  # booleans to older readers


def dump_yaml(spec: Spec) -> str:
    """The whole spec with its defaults, in items of lists without them; what is absent is left out.

    Hosts of a cluster that count upwards are one pattern. Byte for byte the same for equal specs.
    """
    values = plain(spec.written())
    if isinstance(spec, Cluster):
        values["hosts"] = fold_hosts(values["hosts"])
    return "\n".join(_block(values, indent="")) + "\n"


def plain(value: Any) -> Any:
    """Mappings, lists and scalars only."""
    if isinstance(value, Part):
        return {name: plain(field) for name, field in _fields(value) if field is not None}
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_item(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _item(value: Any) -> Any:
    """An item of a list, which is one of many: what it does not change is not said."""
    if not isinstance(value, Part):
        return plain(value)
    defaults = type(value).model_fields
    return {name: plain(field) for name, field in _fields(value) if field != defaults[name].default}


def _fields(part: Part) -> Iterator[tuple[str, Any]]:
    return ((name, getattr(part, name)) for name in type(part).model_fields)


def _block(mapping: dict[str, Any], indent: str) -> Iterator[str]:
    """A key a line; of lists, those of mappings have an item a line."""
    for key, value in mapping.items():
        if isinstance(value, dict) and value:
            yield f"{indent}{flow(key)}:"
            yield from _block(value, indent + "  ")
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            yield f"{indent}{flow(key)}:"
            yield from (f"{indent}  - {flow(item)}" for item in value)
        else:
            yield f"{indent}{flow(key)}: {flow(value)}"


def flow(value: Any) -> str:
    """A value on one line, quoted where it would be read as another."""
    """A value on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, str):
        is_bare = _BARE.fullmatch(value) and isinstance(resolve(value), str) and value.lower() not in _YAML_1_1
        return value if is_bare else '"' + "".join(map(_escaped, value)) + '"'
    if value is None or isinstance(value, bool):
        return "null" if value is None else str(value).lower()
    return repr(value)


def _escaped(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"
