"""Imports the libraries of a script, as its ranks would."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any, ClassVar

from .trust import RefusedError


class WatchedEnvironment(os._Environ):  # type: ignore[type-arg]
    """`os.environ` while libraries are imported: notes what they ask for, because a rank may have another value."""

    names_read: ClassVar[set[str]] = set()

    def __getitem__(self, name: Any) -> Any:
        self.names_read.add(os.fsdecode(name) if isinstance(name, (str, bytes)) else str(name))
        return super().__getitem__(name)


def import_libraries(wanted: Iterable[tuple[str, tuple[str, ...]]]) -> list[str]:
    """Import what can be found of these modules and the names from each.

    Returns the environment variables that were read meanwhile. Raises RefusedError when an import fails half-way.
    """
    os.environ.__class__ = WatchedEnvironment
    for module, names in wanted:
        _import(module, names)
    os.environ.__class__ = os._Environ
    return sorted(WatchedEnvironment.names_read)


def _import(module: str, names: tuple[str, ...]) -> None:
    """Import what is installed; what is not is for the rank to meet, perhaps in a `try`.

    One that fails otherwise has left traces in the process, and might fail differently when a rank tries again.
    """
    try:
        __import__(module, fromlist=names)
    except ModuleNotFoundError as error:
        if error.name is None or not (module == error.name or module.startswith(error.name + ".")):
            raise RefusedError(f"importing {module} failed: {error}") from None
    except BaseException as error:
        raise RefusedError(f"importing {module} failed: {type(error).__name__}: {error}") from None
