"""A spec as YAML that reads back as the same spec."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from launcher.specs.document import resolve
from launcher.specs.spec import Part, Spec

_PLAIN = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.@+-]*")


def dump_yaml(spec: Spec) -> str:
    """The whole spec with its defaults; what is absent is left out. Byte for byte the same for equal specs."""
    from ruamel.yaml import YAML
    from ruamel.yaml.events import DocumentEndEvent, DocumentStartEvent, StreamEndEvent, StreamStartEvent

    yaml = YAML(typ="safe", pure=True)
    yaml.width = 1 << 30
    yaml.allow_unicode = True
    stream = io.StringIO()
    frame = [StreamStartEvent(), DocumentStartEvent(explicit=False)]
    yaml.emit([*frame, *_events(_plain(spec)), DocumentEndEvent(explicit=False), StreamEndEvent()], stream)
    return stream.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Part):
        fields = {name: getattr(value, name) for name in type(value).model_fields}
        return {name: _plain(field) for name, field in fields.items() if field is not None}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.value if isinstance(value, Enum) else value


def _events(value: Any) -> Iterator[Any]:
    from ruamel.yaml.events import MappingEndEvent, MappingStartEvent, SequenceEndEvent, SequenceStartEvent

    if isinstance(value, dict):
        yield MappingStartEvent(anchor=None, tag=None, implicit=True, flow_style=not value)
        for key, item in value.items():
            yield _scalar(key)
            yield from _events(item)
        yield MappingEndEvent()
    elif isinstance(value, list):
        yield SequenceStartEvent(
            anchor=None, tag=None, implicit=True, flow_style=not any(isinstance(item, dict) for item in value)
        )
        for item in value:
            yield from _events(item)
        yield SequenceEndEvent()
    else:
        yield _scalar(value)


def _scalar(value: Any) -> Any:
    from ruamel.yaml.events import ScalarEvent

    if isinstance(value, str):
        bare = bool(_PLAIN.fullmatch(value)) and isinstance(resolve(value), str)
        return ScalarEvent(anchor=None, tag=None, implicit=(bare, True), value=value, style=None if bare else '"')
    text = "null" if value is None else str(value).lower() if isinstance(value, bool) else repr(value)
    return ScalarEvent(anchor=None, tag=None, implicit=(True, False), value=text)
