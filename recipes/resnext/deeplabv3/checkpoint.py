"""Checkpoints that are complete or absent, and that are loaded whole or refused."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore import Parameter, nn

from deeplabv3.errors import RecipeError

_UNFINISHED = ".writing-"


class Checkpoints:
    """A folder of `step_<number>.ckpt` files, of which the newest `keep` remain."""

    def __init__(self, folder: str, keep: int):
        self.folder, self.keep = Path(folder).absolute(), keep
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RecipeError(f"--checkpoint_dir={folder}: cannot be created: {error.strerror}") from error

    def save(self, step: int, parameters: Sequence[Parameter], facts: Mapping[str, Any]) -> Path:
        """Write the parameters and the facts of the run; the file appears under its name only when it is on disk."""
        self._remove_unfinished()
        final = self.folder / f"step_{step:08d}.ckpt"
        # save_checkpoint insists on the suffix .ckpt, so the file is hidden by its folder until it is complete.
        workshop = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=self.folder))
        draft = workshop / final.name
        described = json.dumps({**facts, "step": step}, sort_keys=True)
        entries = [{"name": each.name, "data": each} for each in parameters]
        ms.save_checkpoint(entries, str(draft), append_dict={"run": described}, crc_check=True)
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


def load(path: str, parameters: Sequence[Parameter], facts: Mapping[str, Any]) -> int:
    """Load a checkpoint into the parameters and return its step.

    `facts` must be those the checkpoint was saved with. Raises RecipeError, with no parameter changed, if the file
    cannot be read or does not fit.
    """
    try:
        stored = ms.load_checkpoint(path, crc_check=True)
        run = json.loads(stored.pop("run"))
        step = int(run.pop("step"))
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise RecipeError(
            f"{path}: cannot be read as a checkpoint of this script ({type(error).__name__}): "
            "damaged or of another origin; resume from another"
        ) from error
    differing = [name for name in facts if run.get(name) != facts[name]]
    if differing:
        written, wanted = ({name: source.get(name) for name in differing} for source in (run, facts))
        raise RecipeError(
            f"{path}: was written with {_listed(written)}; this run has {_listed(wanted)}: "
            "resume with the options it was written with"
        )
    expected = {each.name: (each.shape, each.dtype) for each in parameters}
    found = {name: (value.shape, value.dtype) for name, value in stored.items()}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            raise RecipeError(
                f"{path}: parameter {name}: expected {expected.get(name, 'none')}, found {found.get(name, 'none')}: "
                "resume with the options it was written with"
            )
    for each in parameters:
        each.set_data(stored[each.name])
    return step


def weights_hash(network: nn.Cell) -> str:
    """SHA-256 over names, types, shapes and bits of all parameters, BatchNorm's moving statistics included."""
    digest = hashlib.sha256()
    for each in sorted(network.get_parameters(), key=lambda parameter: parameter.name):
        digest.update(f"{each.name} {each.dtype} {each.shape}".encode())
        digest.update(each.asnumpy().tobytes())
    return digest.hexdigest()


def _listed(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items())


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
