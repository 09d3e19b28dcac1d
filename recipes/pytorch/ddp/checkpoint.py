"""What a run keeps of its state, loaded whole or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from training.checkpoint_folder import CheckpointFolder, position, require_same, require_same_parameters, unreadable

# A scaler's state also has its options; those of the command line count.
_OF_SCALER = ("scale", "_growth_tracker")


class State:
    """What goes on from step to step: weights and statistics, momentum, loss scale."""

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler):
        self.network, self.optimizer, self.scaler = network, optimizer, scaler

    def save(self, folder: CheckpointFolder, step: int, facts: Mapping[str, Any]) -> Path:
        """Write the state and the facts of the run as the checkpoint of a step."""
        content = _on_cpu(
            {
                "run": {**facts, "step": step},
                "network": self.network.state_dict(),
                "momentum": self.optimizer.state_dict()["state"],
                "scaler": {name: value for name, value in self.scaler.state_dict().items() if name in _OF_SCALER},
            }
        )
        content["sha256"] = digest(content)  # PyTorch does not look at the checksums in its files
        return folder.save(step, lambda path: torch.save(content, path))

    def load(self, path: str, facts: Mapping[str, Any]) -> int:
        """Take the state of a checkpoint and return its step.

        `facts` must be those the checkpoint was saved with. Raises RecipeError, with nothing changed, if the file
        cannot be read or does not fit.
        """
        content = _read(path, facts)
        _load(path, content, self.network)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": content["momentum"]})
        self.scaler.load_state_dict({**self.scaler.state_dict(), **content["scaler"]})
        return content["run"]["step"]


def load_network(path: str, network: nn.Module, architecture: Mapping[str, Any]) -> tuple[int, int]:
    """Load only the network of a checkpoint, and return its epoch and step; refused as in `State.load`."""
    content = _read(path, architecture)
    _load(path, content, network)
    return position(path, content["run"])


def _read(path: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        if content.pop("sha256") != digest(content):
            raise ValueError("other bits than were written")
        run = {**content["run"], "step": int(content["run"]["step"])}
    except Exception as error:  # what a damaged file raises depends on where the damage is
        raise unreadable(path, error) from error
    require_same(path, run, facts)
    return {**content, "run": run}


def _load(path: str, content: Mapping[str, Any], network: nn.Module) -> None:
    require_same_parameters(path, _shapes(content["network"]), _shapes(network.state_dict()))
    network.load_state_dict(content["network"])


def _on_cpu(content: Mapping[Any, Any]) -> dict[Any, Any]:
    """The same with all tensors on the CPU, where a checkpoint can be read without the device it comes from."""
    copies = {}
    for name, value in content.items():
        if isinstance(value, Mapping):
            copies[name] = _on_cpu(value)
        else:
            copies[name] = value.detach().cpu() if isinstance(value, Tensor) else value
    return copies


def digest(content: Mapping[Any, Any]) -> str:
    """SHA-256 over the names and values of nested mappings; of tensors over types, shapes and bits."""
    whole = hashlib.sha256()
    for name, value in sorted(_leaves(content), key=itemgetter(0)):
        if isinstance(value, Tensor):
            whole.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            whole.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            whole.update(f"{name} {value!r}".encode())
    return whole.hexdigest()


def _leaves(content: Mapping[Any, Any], place: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{place}{name}/")
        else:
            yield f"{place}{name}", value


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, object]:
    return {name: (tuple(each.shape), str(each.dtype)) for name, each in tensors.items()}
