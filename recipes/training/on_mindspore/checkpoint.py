"""What a run keeps of its parameters, loaded whole or refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mindspore as ms
from mindspore import Parameter, nn

from training.checkpoint_folder import CheckpointFolder, position, require_same, require_same_parameters, unreadable
from training.errors import RecipeError


def save(folder: CheckpointFolder, step: int, parameters: Sequence[Parameter], facts: Mapping[str, Any]) -> Path:
    """Write the parameters and the facts of the run as the checkpoint of a step."""
    described = json.dumps({**facts, "step": step}, sort_keys=True)
    entries = [{"name": each.name, "data": each} for each in parameters]
    return folder.save(
        step, lambda path: ms.save_checkpoint(entries, str(path), append_dict={"run": described}, crc_check=True)
    )


def load(path: str, parameters: Sequence[Parameter], facts: Mapping[str, Any]) -> int:
    """Load a checkpoint into the parameters and return its step.

    `facts` must be those the checkpoint was saved with. Raises RecipeError, with no parameter changed, if the file
    cannot be read or does not fit.
    """
    run, stored = _read(path, facts)
    _load(path, stored, parameters)
    return run["step"]


def load_network(path: str, network: nn.Cell, architecture: Mapping[str, Any]) -> tuple[int, int]:
    """Load only the network of a checkpoint, and return its epoch and step; refused as in `load`."""
    run, stored = _read(path, architecture)
    parameters = list(network.get_parameters())
    of_network = {each.name for each in parameters}
    _load(path, {name: value for name, value in stored.items() if name in of_network}, parameters)
    return position(path, run)


def facts_of(path: str, names: Sequence[str]) -> dict[str, Any]:
    """What a checkpoint was saved with, by these names. Raises RecipeError if it cannot be read or lacks one."""
    run, _ = _read(path, {})
    missing = [name for name in names if name not in run]
    if missing:
        raise RecipeError(f"{path}: says nothing of {', '.join(missing)}: expected a checkpoint of this recipe")
    return {name: run[name] for name in names}


def _read(path: str, facts: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Parameter]]:
    try:
        stored = ms.load_checkpoint(path, crc_check=True)
        run = json.loads(stored.pop("run"))
        run["step"] = int(run["step"])
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise unreadable(path, error) from error
    require_same(path, run, facts)
    return run, stored


def _load(path: str, stored: Mapping[str, Parameter], parameters: Sequence[Parameter]) -> None:
    require_same_parameters(
        path,
        {name: (value.shape, value.dtype) for name, value in stored.items()},
        {each.name: (each.shape, each.dtype) for each in parameters},
    )
    for each in parameters:
        each.set_data(stored[each.name])


def weights_hash(network: nn.Cell) -> str:
    """SHA-256 over names, types, shapes and bits of all parameters, BatchNorm's moving statistics included."""
    digest = hashlib.sha256()
    for each in sorted(network.get_parameters(), key=lambda parameter: parameter.name):
        digest.update(f"{each.name} {each.dtype} {each.shape}".encode())
        digest.update(each.asnumpy().tobytes())
    return digest.hexdigest()
