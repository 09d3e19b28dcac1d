"""Writes the files of a plan into a folder, and over nothing but what it wrote there before."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from launcher.errors import InfrastructureError, UsageError

if TYPE_CHECKING:
    from launcher.planning.rendering import Artifact

_NOTES = ".npu-launch-plan.json"
_MOST_NAMED = 5


def write_folder(folder: Path, artifacts: Sequence[Artifact]) -> None:
    """Write each file whole or not at all, and remove those of an earlier plan that this one has not.

    Raises UsageError when a file is in the way that a plan did not write, or that was changed since, and
    InfrastructureError when the folder cannot be written.
    """
    try:
        before = _notes(folder)
        in_the_way = [name for name in (artifact.name for artifact in artifacts) if not _is_ours(folder, name, before)]
        if in_the_way:
            more = f" and {len(in_the_way) - _MOST_NAMED} more" if len(in_the_way) > _MOST_NAMED else ""
            raise UsageError(
                f"{', '.join(in_the_way[:_MOST_NAMED])}{more} would be overwritten",
                where=str(folder),
                expected="an empty folder, or one with what `plan --out` wrote and nobody changed",
                remedy="name another folder, or move these files away",
            )
        folder.mkdir(parents=True, exist_ok=True)
        for artifact in artifacts:
            _write(folder / artifact.name, artifact.text, 0o755 if artifact.is_executable else 0o644)
        now = {artifact.name: _digest(artifact.text.encode()) for artifact in artifacts}
        for name in before.keys() - now.keys():
            if _is_ours(folder, name, before):
                (folder / name).unlink(missing_ok=True)
        _write(folder / _NOTES, json.dumps(now, indent=1) + "\n", 0o644)
    except OSError as error:
        raise InfrastructureError(
            f"cannot write: {error.strerror or error}",
            where=str(error.filename or folder),
            expected="a folder you may write to, with room left",
        ) from error


def _notes(folder: Path) -> Mapping[str, str]:
    """What an earlier plan wrote here: names, and digests of the texts."""
    try:
        notes = json.loads((folder / _NOTES).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    if not isinstance(notes, dict):
        return {}
    return {str(name): str(digest) for name, digest in notes.items() if Path(name).name == name}


def _is_ours(folder: Path, name: str, notes: Mapping[str, str]) -> bool:
    """Whether a file is not there, or as a plan wrote it."""
    path = folder / name
    if not path.is_symlink() and not path.exists():
        return True
    return path.is_file() and name in notes and notes[name] == _digest(path.read_bytes())


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _write(path: Path, text: str, mode: int) -> None:
    descriptor, partial = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
        Path(partial).replace(path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
