"""How an NPU executes a graph of TensorFlow 1.15 or 2.6: the settings as a value, and how the adapter is given them.

Imports without TensorFlow. The settings follow from options and environment alone; what puts them into effect takes
TensorFlow's version 1 API as `tf` and the adapter as arguments. Sources: hiascend.com, "TensorFlow 1.15 Model Porting
Guide" and "TensorFlow 2.6.5 Model Porting Guide" (compat.v1), with their API references; facts/profiling.md, section 5.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from training.errors import RecipeError

from cifar_cnn.options import MIXED_PRECISION, Options
from cifar_cnn.place import CHIEF, Place


@dataclass(frozen=True)
class NpuSettings:
    """Everything that is set on an NPU and is not on a GPU."""

    ranks: int
    meets_at_chief: bool
    precision_mode: str  # empty: the chip's default
    modify_mixlist: str  # empty: CANN's own lists
    loss_scale: str  # off, static or dynamic
    loss_scale_value: float
    loss_scale_window: int
    mix_compile_mode: bool
    iterations_per_loop: int
    v2_control_flow: bool

    def parameters(self) -> dict[str, bool | int | str]:
        """By the names that both NPURunConfig's arguments and a session's parameter_map have."""
        found: dict[str, bool | int | str] = {
            "enable_data_pre_proc": True,  # the next batch is fetched by the device, without which it cannot loop
            "iterations_per_loop": self.iterations_per_loop,
            "mix_compile_mode": self.mix_compile_mode,
            "hcom_parallel": self.ranks > 1,  # gradients are reduced while earlier layers still compute
        }
        if self.precision_mode:
            found["precision_mode"] = self.precision_mode
        if self.modify_mixlist:
            found["modify_mixlist"] = self.modify_mixlist
        return found

    def line(self) -> str:
        return "npu: " + ", ".join(f"{name} {value}" for name, value in asdict(self).items() if value != "")


def npu_settings(options: Options, place: Place, environ: Mapping[str, str]) -> NpuSettings:
    """The settings that follow from options, place and environment.

    Raises RecipeError for those that contradict each other, and for a list of operators that CANN could not read.
    """
    if options.mix_compile_mode and options.iterations_per_loop > 1:
        raise RecipeError(
            f"--mix_compile_mode=true with --iterations_per_loop={options.iterations_per_loop}: the host takes part in "
            "each step, so that the device cannot loop: set --iterations_per_loop=1"
        )
    if options.modify_mixlist:
        if options.precision_mode not in MIXED_PRECISION:
            raise RecipeError(
                f"--modify_mixlist={options.modify_mixlist} changes the lists of mixed precision: "
                f"expected --precision_mode={MIXED_PRECISION[0]} or one like it"
            )
        _check_lists(Path(options.modify_mixlist))
    return NpuSettings(
        ranks=place.ranks,
        meets_at_chief=place.meeting == CHIEF,
        precision_mode=options.precision_mode,
        modify_mixlist=options.modify_mixlist,
        loss_scale=options.loss_scale,
        loss_scale_value=options.loss_scale_value,
        loss_scale_window=options.loss_scale_window,
        mix_compile_mode=options.mix_compile_mode,
        iterations_per_loop=options.iterations_per_loop,
        v2_control_flow=environ.get("ENABLE_FORCE_V2_CONTROL") == "1",
    )


def _check_lists(path: Path) -> None:
    """`{"black-list": {"to-add": ["MatMul"]}, "white-list": {"to-remove": [...]}}`, either way."""
    expected = 'expected {"black-list": {"to-add": [...], "to-remove": [...]}, "white-list": ...} in a .json file'
    try:
        lists = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeError(f"--modify_mixlist={path}: {error}; {expected}") from error
    fits = path.suffix == ".json" and isinstance(lists, dict) and set(lists) <= {"black-list", "white-list"}
    changes = list(lists.values()) if fits else []
    if not fits or not all(isinstance(each, dict) and set(each) <= {"to-add", "to-remove"} for each in changes):
        raise RecipeError(f"--modify_mixlist={path}: {expected}")


# -- what takes TensorFlow and the adapter -----------------------------------------------------------------------------


def load_adapter(tf: Any) -> Any:
    """The names of the adapter: npu_bridge for TensorFlow 1.15; npu_device, switched to graphs, for 2.6.

    Raises RecipeError when it is not installed.
    """
    try:
        if tf.__version__.startswith("1."):
            return importlib.import_module("npu_bridge.npu_init")
        npu_device = importlib.import_module("npu_device")
        adapter = importlib.import_module("npu_device.compat.v1.npu_init")
    except ImportError as error:
        raise RecipeError(
            f"no adapter for NPUs ({error}): install CANN's tfplugin and source its set_env.sh, or set "
            "DEVICE_TARGET=CPU"
        ) from error
    npu_device.compat.enable_v1()
    return adapter


def use_v2_control_flow(tf: Any, settings: NpuSettings) -> None:
    """Make tf.cond and tf.while_loop one operator each (If, While), before a graph is built.

    Those of version 1 (Switch, Merge, ...) do not go with dynamic shapes. ENABLE_FORCE_V2_CONTROL=1 has TensorFlow
    1.15's adapter convert them, which can fail; a graph that has none needs no conversion.
    """
    if settings.v2_control_flow:
        tf.enable_control_flow_v2()
        tf.enable_resource_variables()


def session_config(tf: Any, settings: NpuSettings) -> Any:
    """The ConfigProto of a session on an NPU."""
    config = tf.ConfigProto(allow_soft_placement=True)
    rewriting = config.graph_options.rewrite_options
    rewriting.remapping = rewriting.OFF  # both would be in the way of what the adapter does with the graph
    rewriting.memory_optimization = rewriting.NO_MEM_OPT
    optimizer = rewriting.custom_optimizers.add()
    optimizer.name = "NpuOptimizer"
    for name, value in settings.parameters().items():
        parameter = optimizer.parameter_map[name]
        if isinstance(value, bool):
            parameter.b = value
        elif isinstance(value, int):
            parameter.i = value
        else:
            parameter.s = tf.compat.as_bytes(value)
    return config


def estimator(tf: Any, adapter: Any, settings: NpuSettings, model_fn: Any, run_config: Mapping[str, Any]) -> Any:
    """The Estimator whose graph runs on the NPU; `run_config` has arguments of TensorFlow's own RunConfig.

    NPUEstimator itself broadcasts rank 0's variables to the others when training starts, also those of a checkpoint.
    With 1.15 it makes the session's NpuOptimizer from its RunConfig; the guide for 2.6 wants one in the session_config.
    """
    is_v1 = tf.__version__.startswith("1.")
    config = tf.ConfigProto(allow_soft_placement=True) if is_v1 else session_config(tf, settings)
    npu_config = adapter.NPURunConfig(session_config=config, **run_config, **settings.parameters())
    return adapter.NPUEstimator(model_fn=model_fn, config=npu_config)


def wrapped_optimizer(tf: Any, adapter: Any, settings: NpuSettings, optimizer: Any) -> Any:
    """The optimiser with gradients averaged over the ranks, and the loss scaled around that.

    In this order ranks average scaled gradients, and one rank's overflow reaches all: they skip a step together. To be
    called outside tf.control_dependencies, where a loss scale manager must not be made.

    Raises RecipeError when ranks meet at a chief and the adapter is of those that would then not average at all.
    """
    if settings.ranks > 1:
        if settings.meets_at_chief and not hasattr(adapter.util, "get_ranksize"):
            raise RecipeError(
                "this TF Adapter averages gradients only where RANK_SIZE is set, and CM_* excludes it: "
                "set rendezvous to rank_table, or install a newer one"
            )
        optimizer = adapter.npu_distributed_optimizer_wrapper(optimizer)
    if settings.loss_scale == "off":
        return optimizer
    value, window, is_static = settings.loss_scale_value, settings.loss_scale_window, settings.loss_scale == "static"
    if not hasattr(adapter, "NPULossScaleOptimizer"):
        # TensorFlow 2.6's adapter has none for optimisers of version 1. TensorFlow's own sees an overflow as inf or
        # NaN, which the first Ascend 910 does not make: it saturates, and a dynamic scale would only grow.
        precision = tf.mixed_precision
        scale = precision.FixedLossScale(value) if is_static else precision.DynamicLossScale(value, window)
        return precision.MixedPrecisionLossScaleOptimizer(optimizer, scale)
    if is_static:
        manager = adapter.FixedLossScaleManager(loss_scale=value)
    else:
        manager = adapter.ExponentialUpdateLossScaleManager(
            init_loss_scale=value, incr_every_n_steps=window, decr_every_n_nan_or_inf=1, incr_ratio=2, decr_ratio=0.5
        )
    return adapter.NPULossScaleOptimizer(optimizer, manager, is_distributed=settings.ranks > 1)
