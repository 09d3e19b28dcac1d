"""Texts of which something is not known, or which depend on where the script lies.

A text that the script would only have when it runs (an argument that nobody has given, the output of a program) stands
as `/FILL_IN/<label>` and a character of the private use area that ends it. It begins like a path because that is what
unknown arguments of launch scripts are, so a script's own `if [ "${1:0:1}" == "/" ]` takes the right way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

_END: Final = "\ue000"
_HERE: Final = "\ue001"
_UNKNOWN: Final = re.compile(rf"(?:/FILL_IN/|(?<!\w))(\w*){_END}")
_PATH: Final = re.compile(rf"/{_HERE}([^\s:=,;'\"]*)")


def unknown(label: str) -> str:
    """A text that is not known; the label, of letters, digits and underscores, says which."""
    return f"/FILL_IN/{label}{_END}"


def is_known(text: str) -> bool:
    return _END not in text


def labels(text: str) -> Iterator[str]:
    """The labels of what is not known of a text."""
    return (match.group(1) for match in _UNKNOWN.finditer(text)) if _END in text else iter(())


def only_label(text: str) -> str | None:
    """The label of a text of which nothing is known, else None."""
    match = _UNKNOWN.fullmatch(text) if _END in text else None
    return match.group(1) if match else None


def filled(text: str, fill_in: Callable[[str], str]) -> str:
    """The text with what stands for each label."""
    return _UNKNOWN.sub(lambda match: fill_in(match.group(1)), text) if _END in text else text


def placed(path: str) -> str:
    """An absolute path as one that the script has from where it lies, not from its own words."""
    return f"/{_HERE}{path.removeprefix('/')}"


def relocated(text: str, place: Callable[[str], str]) -> str:
    """The text with what stands for each such path, which `place` is given as an absolute one."""
    return _PATH.sub(lambda match: place(f"/{match.group(1)}"), text)


def real(path: str) -> str:
    """A path as the file system has it."""
    return path.replace(_HERE, "")
