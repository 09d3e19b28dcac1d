"""What a host has once it is provided for."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Provided:
    """Where npu-launch lives on a host: its home (NPU_LAUNCH_HOME there), the interpreter that has npu-launch and Ray.

    Both are absolute paths there; `machine` is what `uname -m` says.
    """

    host: str
    home: str
    python: str
    machine: str
