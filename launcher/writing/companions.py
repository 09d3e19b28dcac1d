"""The folders that a shipped recipe's script needs beside it, so that a copy of the recipe runs."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from launcher.errors import UsageError


@dataclass(frozen=True)
class Copied:
    """What was done about the folders: those that were copied, and those that were there and are kept as they are."""

    new: tuple[str, ...]
    kept: tuple[str, ...]


def companions(home: Path, script: str) -> list[str]:
    """Folders of `home` by name: that of the script, and those of which Python files in them import modules."""
    found: list[str] = []
    waiting = [Path(script).parts[0]] if len(Path(script).parts) > 1 else []
    while waiting:
        folder = waiting.pop()
        if folder in found:
            continue
        found.append(folder)
        imported = {name for file in sorted((home / folder).rglob("*.py")) for name in _imported(file)}
        waiting += sorted(name for name in imported if (home / name).is_dir())
    return found


def copy_companions(home: Path, script: str, target: Path) -> Copied:
    """Copy these folders into another; one that is there already stays as it is. Raises UsageError."""
    new, kept = [], []
    for name in companions(home, script):
        if (target / name).exists():
            kept.append(name)
            continue
        try:
            shutil.copytree(home / name, target / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        except OSError as error:
            raise UsageError(f"cannot be copied: {error}", where=str(home / name)) from None
        new.append(name)
    return Copied(tuple(new), tuple(kept))


def _imported(file: Path) -> Iterator[str]:
    """The packages that a Python file imports, by their first name."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
