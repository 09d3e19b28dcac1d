"""How this process executes: mode, device, determinism, sums over ranks."""

from __future__ import annotations

import mindspore as ms

from training.environment import Environment
from training.errors import RecipeError
from training.options import MindSporeOptions


def prepare(options: MindSporeOptions, environment: Environment) -> None:
    """Set MindSpore up for this process, before anything is built.

    Raises RecipeError if this MindSpore cannot use the device.
    """
    ms.set_context(mode=ms.GRAPH_MODE if options.mode == "graph" else ms.PYNATIVE_MODE)
    set_device(environment)
    if options.deterministic:
        ms.set_deterministic(True)
    if options.splits:
        # The gradients of the last layers are there first. In a part of their own they are added up while those of the
        # layers before are still computed.
        ms.set_auto_parallel_context(all_reduce_fusion_config=options.splits)


def set_device(environment: Environment) -> None:
    """Choose the device. Raises RecipeError if this MindSpore cannot use it."""
    target = environment.device_target
    try:
        ms.set_device(target, None if target == "CPU" else environment.device_id)
    except RuntimeError as error:
        if "Unsupported device target" not in str(error):  # a device that fails has more to say than one line
            raise
        raise RecipeError(
            f"DEVICE_TARGET={target}: not available to this MindSpore (an NPU needs CANN's libraries in "
            "LD_LIBRARY_PATH, see its set_env.sh); to train without one set DEVICE_TARGET=CPU"
        ) from error
