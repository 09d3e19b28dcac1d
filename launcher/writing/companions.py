"""The folders that a shipped recipe's script needs beside it, so that a copy of the recipe runs."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from launcher.errors import UsageError

_NOT_COPIED: Final = ("__pycache__", ".*")


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


def refuse_misfits(home: Path, script: str, target: Path) -> None:
    """Raise UsageError where one of these folders is another's: what is there lacks files that the recipe needs."""
    for name in companions(home, script):
        if not (target / name).exists():
            continue
        missing = [file for file in _files(home / name) if not (target / name / file).is_file()]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise UsageError(
                f"is there already, and has no {missing[0]}{more}, which the recipe needs",
                where=str(target / name),
                expected="none, or one that the recipe can use",
                remedy="write to another folder: npu-launch new FOLDER/NAME",
            )


def copy_companions(home: Path, script: str, target: Path) -> Copied:
    """Copy these folders into another; one that is there already stays as it is. Raises UsageError."""
    new, kept = [], []
    for name in companions(home, script):
        if (target / name).exists():
            kept.append(name)
            continue
        try:
            shutil.copytree(home / name, target / name, ignore=shutil.ignore_patterns(*_NOT_COPIED))
        except OSError as error:
            raise UsageError(f"cannot be copied: {error}", where=str(home / name)) from None
        new.append(name)
    return Copied(tuple(new), tuple(kept))


def _files(folder: Path) -> list[Path]:
    """What is copied of a folder, as seen from there."""
    files = sorted(file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    return [file for file in files if not any(fnmatch(part, not_) for part in file.parts for not_ in _NOT_COPIED)]


def _imported(file: Path) -> Iterator[str]:
    """The packages that a Python file imports, by their first name."""
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
