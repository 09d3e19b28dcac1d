"""TensorFlow's version 1 API and TF Adapter as far as the recipe's NPU settings touch them; both record what they get.

The arguments of NPURunConfig, and the names that each adapter has, are those of gitcode.com/cann/tensorflow:
that of 2.6 has no loss scaling for optimisers of version 1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any

_RUN_CONFIG = {
    *("model_dir", "tf_random_seed", "save_summary_steps", "save_checkpoints_steps", "keep_checkpoint_max"),
    *("session_config", "log_step_count_steps"),
}
_NPU_RUN_CONFIG = _RUN_CONFIG | {
    *("iterations_per_loop", "enable_data_pre_proc", "mix_compile_mode", "hcom_parallel"),
    *("precision_mode", "modify_mixlist"),
}


class Call:
    """Something that was made: by what name, from what."""

    def __init__(self, name: str, *values: Any, **named: Any) -> None:
        self.name, self.values, self.named = name, values, named

    def __repr__(self) -> str:
        return f"{self.name}{self.values}{self.named}"


def maker(name: str) -> Any:
    return lambda *values, **named: Call(name, *values, **named)


class FakeTensorFlow(SimpleNamespace):
    """`tensorflow.compat.v1`."""

    def __init__(self, version: str) -> None:
        super().__init__(__version__=version, calls=[], compat=SimpleNamespace(as_bytes=str.encode))
        if not version.startswith("1."):
            names = ("FixedLossScale", "DynamicLossScale", "MixedPrecisionLossScaleOptimizer")
            self.mixed_precision = SimpleNamespace(**{name: maker(name) for name in names})

    def ConfigProto(self, allow_soft_placement: bool) -> Any:
        rewriting = SimpleNamespace(
            OFF=2, NO_MEM_OPT=1, remapping=0, memory_optimization=0, custom_optimizers=_Repeated()
        )
        options = SimpleNamespace(rewrite_options=rewriting)
        return SimpleNamespace(allow_soft_placement=allow_soft_placement, graph_options=options)

    def enable_control_flow_v2(self) -> None:
        self.calls.append("enable_control_flow_v2")

    def enable_resource_variables(self) -> None:
        self.calls.append("enable_resource_variables")


class _Repeated(list[Any]):
    def add(self) -> Any:
        self.append(SimpleNamespace(name="", parameter_map=defaultdict(SimpleNamespace)))
        return self[-1]


def adapter(version: str, knows_chief: bool = True) -> ModuleType:
    """npu_init of the adapter for a TensorFlow. One that does not know a chief averages by RANK_SIZE alone."""
    module = ModuleType("npu_init")
    names = ["NPUEstimator", "npu_distributed_optimizer_wrapper"]
    if version.startswith("1."):
        names += ["NPULossScaleOptimizer", "FixedLossScaleManager", "ExponentialUpdateLossScaleManager"]
    vars(module).update({name: maker(name) for name in names})
    vars(module).update(NPURunConfig=_npu_run_config, util=SimpleNamespace())
    if knows_chief:
        vars(module)["util"].get_ranksize = lambda: "2"
    return module


def _npu_run_config(**named: Any) -> Call:
    unknown = named.keys() - _NPU_RUN_CONFIG
    if unknown:
        raise TypeError(f"__init__() got an unexpected keyword argument '{unknown.pop()}'")
    if named["mix_compile_mode"] and named["iterations_per_loop"] != 1:
        raise ValueError('"iterations_per_loop" must be 1 with "mix_compile_mode" is True')
    return Call("NPURunConfig", **named)


def installed(version: str) -> Mapping[str, ModuleType]:
    """What `sys.modules` has with that adapter imported."""
    if version.startswith("1."):
        return {"npu_bridge": ModuleType("npu_bridge"), "npu_bridge.npu_init": adapter(version)}
    npu_device, enabled = ModuleType("npu_device"), []
    vars(npu_device).update(enabled=enabled, compat=SimpleNamespace(enable_v1=lambda: enabled.append("v1")))
    parents = ("npu_device.compat", "npu_device.compat.v1")
    return {
        "npu_device": npu_device,
        **{name: ModuleType(name) for name in parents},
        "npu_device.compat.v1.npu_init": adapter(version),
    }
