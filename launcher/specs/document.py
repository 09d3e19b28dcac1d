"""YAML text as plain values, each of which knows its line and column."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from launcher.errors import SpecError

Path = tuple[str | int, ...]

DEEPEST: Final = 50

# The core schema of YAML 1.2.2, section 10.3.2.
_CORE: Final[tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...]] = (
    (re.compile(r"null|Null|NULL|~|"), lambda _: None),
    (re.compile(r"true|True|TRUE"), lambda _: True),
    (re.compile(r"false|False|FALSE"), lambda _: False),
    (re.compile(r"[-+]?[0-9]+"), int),
    (re.compile(r"0o[0-7]+"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"), float),
    (re.compile(r"[-+]?(\.inf|\.Inf|\.INF)|\.nan|\.NaN|\.NAN"), lambda text: float(text.replace(".", ""))),
)


@dataclass
class Document:
    """A mapping as it was written, and where: `keys` and `values` give the place of each path as `file:line:column`."""

    name: str
    root: dict[str, Any]
    keys: dict[Path, str] = field(default_factory=dict)
    values: dict[Path, str] = field(default_factory=dict)

    def place(self, path: Path, *, of_key: bool = False) -> str:
        """Where a path was written, or else the closest thing above it that was."""
        if of_key and path in self.keys:
            return self.keys[path]
        while path not in self.values and path:
            path = path[:-1]
        return self.values.get(path, self.name)


def resolve(text: str) -> Any:
    """What an unquoted YAML 1.2 scalar means: `off` is a text, `1e-3` a number."""
    for pattern, value in _CORE:
        if pattern.fullmatch(text):
            return value(text)
    return text


def parse(text: str, name: str, verbatim: Callable[[Path], bool] = lambda _: False) -> Document:
    """Read a YAML mapping; raises SpecError with the line and column of what is wrong.

    Scalars at paths that are `verbatim` stay as they are written: in `env`, `1.10` is not the number 1.1.
    Aliases, tags, merge keys and repeated keys are refused: a spec says what it says in one place.
    """
    reader = _Reader(name, verbatim, _events(text, name))
    root = reader.document()
    if not isinstance(root, dict):
        what = "is empty" if root is None else "is not a mapping"
        raise SpecError(what, where=name, expected="lines such as `name: my-job`", remedy="see docs/specs.md")
    return Document(name, root, reader.keys, reader.values)


def parse_value(text: str, name: str) -> Any:
    """Read one value as it stands on a command line; `a: b` and `- a`, which only a file can mean, are texts."""
    events = list(_events(text, name))
    if any(getattr(event, "flow_style", True) is False for event in events[2:3]):
        return text
    return _Reader(name, lambda _: False, iter(events)).document()


def _events(text: str, name: str) -> Iterator[Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        raise SpecError(
            f"holds the character {_character(error.character)!r}",
            where=f"{name}:{line}:{column}",
            expected="printable text",
            remedy='write it as an escape in double quotes, such as "\\x07"',
        ) from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise SpecError(
            f"is not YAML: {error.problem or error.context}",
            where=f"{name}:{mark.line + 1}:{mark.column + 1}" if mark else name,
            remedy=_remedy(error.problem or ""),
        ) from None
    except (YAMLError, ValueError, OverflowError, AttributeError, AssertionError) as error:
        # Escapes such as "\UFFFFFFFF" leave the parser as whatever `chr` raised.
        raise SpecError(f"is not YAML: {error}", where=name, remedy="check the escapes in double quotes") from None


def _character(reported: int | str) -> str:
    """ruamel reports the character, or its number."""
    return chr(reported) if isinstance(reported, int) else reported


def _remedy(problem: str) -> str:
    if "'\\t'" in problem:
        return "indent with spaces"
    if "mapping values are not allowed" in problem:
        return "put a text that holds `: ` in quotes, or check the indentation"
    if "got '['" in problem:
        return "put a text that holds a bracket, such as node[1-3], in quotes"
    return "put texts with special characters in quotes, and check the indentation"


@dataclass
class _Reader:
    """Builds values from parser events, and notes the place of each."""

    name: str
    verbatim: Callable[[Path], bool]
    events: Iterator[Any]
    keys: dict[Path, str] = field(default_factory=dict)
    values: dict[Path, str] = field(default_factory=dict)

    def document(self) -> Any:
        """The only document of the stream; None when there is none."""
        next(self.events)
        if _kind(next(self.events)) == "StreamEnd":
            return None
        root = self._value(next(self.events), ())
        next(self.events)
        after = next(self.events)
        if _kind(after) != "StreamEnd":
            raise SpecError(
                "a second document begins", where=self._place(after), expected="one", remedy="remove the `---` line"
            )
        return root

    def _value(self, event: Any, path: Path) -> Any:
        place = self._place(event)
        self.values[path] = place
        kind = _kind(event)
        if kind == "Alias" or event.anchor:
            raise SpecError("uses an anchor or alias (& or *)", where=place, remedy="write the value out")
        if event.tag not in (None, "!", "tag:yaml.org,2002:str") or (event.tag and kind != "Scalar"):
            raise SpecError("uses a tag (!)", where=place, remedy="remove it; quotes make a text of any value")
        if len(path) > DEEPEST:
            raise SpecError("is nested too deep", where=place, expected=f"at most {DEEPEST} levels")
        if kind == "MappingStart":
            return dict(self._items(path))
        if kind == "SequenceStart":
            return list(self._elements(path))
        return self._scalar(event, path)

    def _scalar(self, event: Any, path: Path) -> Any:
        text = str(event.value)
        if event.style or event.tag:
            return text
        try:
            value = resolve(text)
        except ValueError:
            raise SpecError("has too many digits", where=self._place(event), remedy="put it in quotes") from None
        return text if self.verbatim(path) and isinstance(value, bool | int | float) else value

    def _elements(self, path: Path) -> Iterator[Any]:
        position = 0
        while _kind(event := next(self.events)) != "SequenceEnd":
            yield self._value(event, (*path, position))
            position += 1

    def _items(self, path: Path) -> Iterator[tuple[str, Any]]:
        while _kind(event := next(self.events)) != "MappingEnd":
            place = self._place(event)
            if _kind(event) != "Scalar" or event.anchor or event.tag:
                raise SpecError("is no key", where=place, expected="a plain word", remedy="write `key: value`")
            key = str(event.value)
            here = (*path, key)
            if key == "<<" and not event.style:
                raise SpecError("uses a merge key (<<)", where=place, remedy="write the keys out")
            if here in self.keys:
                first = self.keys[here].removeprefix(f"{self.name}:").partition(":")[0]
                raise SpecError(
                    f"{key} is given a second time, the first is on line {first}", where=place, remedy="remove one"
                )
            self.keys[here] = place
            yield key, self._value(next(self.events), here)

    def _place(self, event: Any) -> str:
        return f"{self.name}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"


def _kind(event: Any) -> str:
    return type(event).__name__.removesuffix("Event")
