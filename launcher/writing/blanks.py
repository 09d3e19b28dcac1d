"""Values that a recipe has to be given: what the script got as its arguments, from its caller or from a program."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Final

from launcher.writing.launch import FillIn
from launcher.writing.shell.marks import filled, labels, only_label
from launcher.writing.shell.record import Reading

_USAGE: Final = re.compile(r"usage.*?\.sh\b[ \t]*(?P<arguments>[^\"'\n]*)", re.IGNORECASE)
_WORD: Final = re.compile(r"[\w./-]*\w")
_IS_PATH: Final = re.compile(r"path|dir|file|data|ckpt|root|config|home|folder", re.IGNORECASE)
_IS_DATA: Final = re.compile(r"data|dir|path|root", re.IGNORECASE)
_ARGUMENT: Final = re.compile(r"arg([0-9]+)")
_OUTPUT: Final = re.compile(r"output([0-9]+)")


class Blanks:
    """Names what is not known, and says where the script has it from."""

    def __init__(self, reading: Reading, text: str) -> None:
        self._names = dict(reading.names)
        self._text = text

    def suggest(self, text: str, name: str) -> None:
        """What is an option's value may be called after it, when nothing else names it."""
        if (label := only_label(text)) is not None and _OUTPUT.fullmatch(label) and name:
            self._names.setdefault(label, re.sub(r"\W+", "_", name))

    def text(self, text: str) -> str:
        """The text with something to fill in for each value that is not known."""
        return filled(text, self._shown)

    def of(self, texts: Iterable[str]) -> tuple[FillIn, ...]:
        """What has to be filled in for these texts, each value once, in order."""
        found = dict.fromkeys(label for text in texts for label in labels(text))
        return tuple(FillIn(self._shown(label), self._origin(label)) for label in found)

    def data(self, args: Sequence[str]) -> tuple[str, ...]:
        """The paths of data among the arguments: those that the script was given."""
        values = [arg.rpartition("=")[2] if arg.startswith("-") else arg for arg in args]
        return tuple(
            dict.fromkeys(
                value
                for value in values
                if value.startswith("/") and any(_IS_DATA.search(self._name(label)) for label in labels(value))
            )
        )

    def _shown(self, label: str) -> str:
        name = self._name(label)
        return f"/FILL_IN/{name}" if _IS_PATH.search(name) else f"FILL_IN_{name}"

    def _name(self, label: str) -> str:
        argument = _ARGUMENT.fullmatch(label)
        position = int(argument.group(1)) - 1 if argument else -1
        if 0 <= position < len(self._usage):
            return self._usage[position]
        return self._names.get(label, label)

    def _origin(self, label: str) -> str:
        if argument := _ARGUMENT.fullmatch(label):
            return f"argument {argument.group(1)} of the script"
        if output := _OUTPUT.fullmatch(label):
            return f"what a command prints, line {output.group(1)}"
        return "a variable that the script is given, or that depends on one"

    @cached_property
    def _usage(self) -> list[str]:
        """The names of the arguments, as the script's own help has them."""
        found = _USAGE.search(self._text)
        words = found.group("arguments").split() if found else []
        names = [re.sub(r"\W+", "_", match.group()) for word in words if (match := _WORD.search(word))]
        return [name for name in names if not name[0].isdigit() and name.upper() == name]
