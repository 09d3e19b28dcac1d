"""Loss scaling: off, static or dynamic."""

from __future__ import annotations

import mindspore as ms
from mindspore import Parameter

from training.options import MindSporeOptions

_GROWTH = 2


def build_scaler(options: MindSporeOptions) -> ms.amp.LossScaler:
    if options.loss_scale == "dynamic":
        return ms.amp.DynamicLossScaler(options.loss_scale_value, _GROWTH, options.loss_scale_window)
    return ms.amp.StaticLossScaler(options.loss_scale_value if options.loss_scale == "static" else 1.0)


def is_dynamic(scaler: ms.amp.LossScaler) -> bool:
    return isinstance(scaler, ms.amp.DynamicLossScaler)


def is_off(scaler: ms.amp.LossScaler) -> bool:
    return not is_dynamic(scaler) and float(scaler.scale_value.asnumpy()) == 1.0


def state(scaler: ms.amp.LossScaler) -> list[Parameter]:
    """What a resumed run needs of the scaler: the scale and, if dynamic, the steps since it last changed."""
    return [scaler.scale_value, scaler.counter] if is_dynamic(scaler) else []
