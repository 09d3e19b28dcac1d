"""A folder of checkpoints that are complete or absent, whatever framework writes them."""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from training.errors import RecipeError

_UNFINISHED = ".writing-"


class CheckpointFolder:
    """A folder of `step_<number>.ckpt` files, of which the newest `keep` remain."""

    def __init__(self, folder: str, keep: int):
        self.folder, self.keep = Path(folder).absolute(), keep
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecipeError(f"--checkpoint_dir={folder}: cannot be created: {error.strerror}") from error

    def save(self, step: int, write: Callable[[Path], None]) -> Path:
        """Let `write` write the checkpoint of a step; the file appears under its name only when it is on disk."""
        self._remove_unfinished()
        final = self.folder / f"step_{step:08d}.ckpt"
        # MindSpore insists on the suffix .ckpt, so the file is hidden by its folder until it is complete.
        workshop = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
        draft = workshop / final.name
        write(draft)
        _sync(draft)
        draft.rename(final)
        _sync(self.folder)
        workshop.rmdir()
        self._prune()
        return final

    def _prune(self) -> None:
        # By age, not by number: after a resume from an older step the newest file need not have the highest.
        by_age = sorted(self.folder.glob("step_*.ckpt"), key=lambda path: path.stat().st_mtime_ns)
        for path in by_age[: -self.keep]:
            path.unlink()

    def _remove_unfinished(self) -> None:
        for workshop in self.folder.glob(f"{_UNFINISHED}*"):
            shutil.rmtree(workshop)


def unreadable(path: str, error: Exception) -> RecipeError:
    """What to say of a file that holds no checkpoint."""
    return RecipeError(
        f"{path}: cannot be read as a checkpoint of this script ({type(error).__name__}): "
        "damaged or of another origin; resume from another"
    )


def require_same(path: str, written: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises RecipeError if a checkpoint was written by a run with other facts than those wanted."""
    differing = [name for name in wanted if written.get(name) != wanted[name]]
    if differing:
        theirs, ours = ({name: source.get(name) for name in differing} for source in (written, wanted))
        raise RecipeError(
            f"{path}: was written with {_listed(theirs)}; this run has {_listed(ours)}: "
            "resume with the options it was written with"
        )


def position(path: str, run: Mapping[str, Any]) -> tuple[int, int]:
    """The epoch and the step after which a checkpoint was written. Raises RecipeError if it does not tell."""
    steps_per_epoch = run.get("steps_per_epoch")
    if not isinstance(steps_per_epoch, int) or steps_per_epoch < 1:
        raise RecipeError(f"{path}: does not say how many steps an epoch has: expected a checkpoint of this recipe")
    return math.ceil(run["step"] / steps_per_epoch), run["step"]


def require_same_parameters(path: str, found: Mapping[str, object], expected: Mapping[str, object]) -> None:
    """Raises RecipeError if the parameters of a checkpoint, name to shape and type, are not those expected."""
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise RecipeError(
                f"{path}: parameter {name}: expected {expected.get(name, 'none')}, found {found.get(name, 'none')}: "
                "resume with the options it was written with"
            )


def _listed(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
