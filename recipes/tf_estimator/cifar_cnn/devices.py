"""What computes the network: an NPU through its adapter, or the CPU; a training asks either for the same things."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cifar_cnn import npu


class OnNpu:
    """An NPU, with `settings` put into effect. Raises RecipeError when its adapter is not installed."""

    def __init__(self, tf: Any, settings: npu.NpuSettings):
        self._tf, self._settings, self._adapter = tf, settings, npu.load_adapter(tf)
        npu.use_v2_control_flow(tf, settings)
        self.line = settings.line()

    def estimator(self, model_fn: Any, run_config: Mapping[str, Any]) -> Any:
        return npu.estimator(self._tf, self._adapter, self._settings, model_fn, run_config)

    def optimizer(self, optimizer: Any) -> Any:
        return npu.wrapped_optimizer(self._tf, self._adapter, self._settings, optimizer)


class OnCpu:
    """The CPU: TensorFlow as it is."""

    line = "no NPU: training on the CPU, in float32, one step at a time"

    def __init__(self, tf: Any):
        self._tf = tf

    def estimator(self, model_fn: Any, run_config: Mapping[str, Any]) -> Any:
        return self._tf.estimator.Estimator(model_fn, config=self._tf.estimator.RunConfig(**run_config))

    def optimizer(self, optimizer: Any) -> Any:
        return optimizer
