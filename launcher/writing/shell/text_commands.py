"""Commands whose output follows from their arguments alone."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from typing import Final

from launcher.writing.shell.arithmetic import NotKnown, as_number

_MOST: Final = 4096  # numbers that `seq` may give


def output_of(argv: tuple[str, ...], cwd: str) -> str:
    """What a command would print. Raises NotKnown for one that looks at the machine, or prints too much."""
    command = _COMMANDS.get(posixpath.basename(argv[0]))
    if command is None:
        raise NotKnown
    return command(argv[1:], cwd)


def joined(cwd: str, path: str) -> str:
    """The path from the root, without `.` and `..`."""
    return posixpath.normpath(posixpath.join(cwd, path))


def _operands(arguments: tuple[str, ...]) -> tuple[str, ...]:
    found = tuple(word for word in arguments if not word.startswith("-"))
    if not found:
        raise NotKnown
    return found


def _echo(arguments: tuple[str, ...], _: str) -> str:
    words = list(arguments)
    while words and words[0] in ("-n", "-e", "-ne", "-en"):
        words.pop(0)
    return " ".join(words)


def _printf(arguments: tuple[str, ...], _: str) -> str:
    if not arguments or arguments[0] not in ("%s", "%s\\n", "%d", "%d\\n"):
        raise NotKnown
    return "".join(arguments[1:])


def _basename(arguments: tuple[str, ...], _: str) -> str:
    path, *suffix = _operands(arguments)
    name = posixpath.basename(path.rstrip("/"))
    return name.removesuffix(suffix[0]) if suffix else name


def _seq(arguments: tuple[str, ...], _: str) -> str:
    numbers = [as_number(word) for word in arguments]
    if not 1 <= len(numbers) <= 3:
        raise NotKnown
    first = numbers[0] if len(numbers) > 1 else 1
    step = numbers[1] if len(numbers) == 3 else 1
    if step == 0:
        raise NotKnown
    counted = range(first, numbers[-1] + (1 if step > 0 else -1), step)
    if counted[_MOST:]:
        raise NotKnown
    return "\n".join(map(str, counted))


def _expr(arguments: tuple[str, ...], _: str) -> str:
    if len(arguments) != 3 or arguments[1] not in ("+", "-", "*"):
        raise NotKnown
    left, sign, right = as_number(arguments[0]), arguments[1], as_number(arguments[2])
    return str({"+": left + right, "-": left - right, "*": left * right}[sign])


_COMMANDS: Final[Mapping[str, Callable[[tuple[str, ...], str], str]]] = {
    "echo": _echo,
    "printf": _printf,
    "pwd": lambda _, cwd: cwd,
    "dirname": lambda arguments, _: posixpath.dirname(_operands(arguments)[0]) or ".",
    "basename": _basename,
    "realpath": lambda arguments, cwd: joined(cwd, _operands(arguments)[0]),
    "readlink": lambda arguments, cwd: joined(cwd, _operands(arguments)[0]),
    "seq": _seq,
    "expr": _expr,
}
