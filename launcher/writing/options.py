"""Arguments of a command line as a recipe has them: a mapping where that comes to the same, else a list."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from launcher.specs.document import resolve
from launcher.writing.declared import Declared
from launcher.writing.shell.marks import is_known

_OPTION: Final = re.compile(r"--([^-=\s{}][^=\s{}]*)(?:=(.*))?", re.DOTALL)
_OF_PATHS: Final = re.compile(
    r"path|dir|file|data|ckpt|root|config|home|folder|out|log|save|load|model|vocab|weight|resume|init|pretrain|prefix",
    re.IGNORECASE,
)
_NEGATIVE: Final = re.compile(r"-[0-9.]")


def as_options(arguments: Sequence[str], flags: frozenset[str] = frozenset()) -> dict[str, Any] | list[str]:
    """Options by name: `--lr 0.1` and `--lr=0.1` are `lr: 0.1`, `--fast` is `fast: true`, several values are a list.

    Options with one dash, repeated ones, and arguments that belong to no option, such as those after one of `flags`,
    are only right as a list.
    """
    options: dict[str, Any] = {}
    name = None
    for argument in arguments:
        match = _OPTION.fullmatch(argument)
        if match is None or not match.group(1).isprintable():
            if name is None or name in flags or (argument.startswith("-") and not _NEGATIVE.match(argument)):
                return list(arguments)
            before = options[name]
            options[name] = _value(argument) if before is True else [*_listed(before), _value(argument)]
            continue
        key, value = match.groups()
        if key in options:
            return list(arguments)
        options[key] = True if value is None else _value(value)
        name = key if value is None else None
    return options


def guess(arguments: Sequence[str], declared: Declared) -> str | None:
    """What is read as an option with its value, and could be a flag and the script's own argument; None when sure.

    Only a path after the last option is told of, when the option is not called after one: the rest would be noise.
    """
    last = max((place for place, word in enumerate(arguments) if _OPTION.fullmatch(word)), default=len(arguments))
    option, *values = arguments[last:] or ("",)
    name = option.removeprefix("--")
    if not values or "=" in name or name in declared.flags | declared.valued or _OF_PATHS.search(name):
        return None
    is_path = is_known(values[0]) and "/" in values[0]
    return f"{option} {values[0]} is read as an option with its value" if is_path else None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _value(text: str) -> Any:
    """A number where it is written out as it was; `True`, `1e-3` and `007` stay texts."""
    try:
        value = resolve(text)
    except ValueError:
        return text
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and str(value) == text else text
