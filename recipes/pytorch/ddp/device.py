"""What this process computes on: an NPU with HCCL, or the CPU with gloo."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from training.errors import RecipeError

from ddp.environment import Place
from ddp.options import Options

_WITHOUT = "DEVICE_TARGET=CPU trains without one"


@dataclass(frozen=True)
class Device:
    name: str  # as torch.device takes it
    backend: str  # of the process group
    what: str  # for people
    autocast: Callable[[], AbstractContextManager[Any]]
    scaler: torch.amp.GradScaler


def prepare(options: Options, place: Place) -> Device:
    """The device that DEVICE_TARGET and LOCAL_RANK name, set for this process; an NPU where there is torch_npu.

    Raises RecipeError if it is not there, or does not compute in the type that is wanted.
    """
    torch.use_deterministic_algorithms(options.deterministic)
    if place.device_target == "CPU":
        return _cpu(options, "DEVICE_TARGET=CPU")
    if place.device_target is None and importlib.util.find_spec("torch_npu") is None:
        return _cpu(options, "no torch_npu here")
    return _npu(options, place.local_rank)


def _cpu(options: Options, reason: str) -> Device:
    if options.amp == "float16":
        raise RecipeError(f"--amp=float16 is for NPUs, and this is the CPU ({reason}): take --amp=bfloat16 or off")
    scaler = torch.amp.GradScaler("cpu", **_scaling(options))
    return Device("cpu", "gloo", f"the CPU with gloo, NOT on an NPU ({reason})", _autocast("cpu", options), scaler)


def _npu(options: Options, local_rank: int) -> Device:
    try:
        import torch_npu
    except (ImportError, OSError, RuntimeError) as error:
        first_line = str(error).partition("\n")[0]
        raise RecipeError(
            f"torch_npu cannot be imported ({first_line}): an NPU needs the torch_npu of torch's version, and CANN's "
            f"set_env.sh; {_WITHOUT}"
        ) from error
    npus = torch_npu.npu.device_count() if torch_npu.npu.is_available() else 0
    if local_rank >= npus:
        raise RecipeError(
            f"LOCAL_RANK={local_rank}, but this process sees {npus} NPUs: look at `npu-smi info` and "
            f"ASCEND_RT_VISIBLE_DEVICES, or start fewer ranks; {_WITHOUT}"
        )
    torch_npu.npu.set_device(local_rank)
    if options.amp == "bfloat16" and not torch_npu.npu.is_bf16_supported():
        raise RecipeError("--amp=bfloat16: this NPU does not compute in it; take --amp=float16 --loss_scale=dynamic")
    # Not torch's own: this one also asks chips that saturate (Ascend 910A) whether a kernel has overflowed.
    scaler = torch_npu.npu.amp.GradScaler(**_scaling(options))
    name = f"npu:{local_rank}"
    what = f"{name} ({torch_npu.npu.get_device_name()}) with HCCL"
    return Device(name, "hccl", what, _autocast("npu", options), scaler)


def _autocast(kind: str, options: Options) -> Callable[[], AbstractContextManager[Any]]:
    dtype = torch.float16 if options.amp == "float16" else torch.bfloat16
    return partial(torch.autocast, kind, dtype=dtype, enabled=options.amp != "off")


def _scaling(options: Options) -> dict[str, Any]:
    return {
        "init_scale": options.loss_scale_value,
        "growth_interval": options.loss_scale_window,
        "enabled": options.loss_scale == "dynamic",
    }
