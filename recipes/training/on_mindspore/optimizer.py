"""Momentum SGD whose weight decay spares BatchNorm and biases."""

from __future__ import annotations

from collections.abc import Sequence

from mindspore import Parameter, nn

from training.options import MindSporeOptions

_NOT_DECAYED = ("gamma", "beta", "bias")


def is_decayed(parameter: Parameter) -> bool:
    """Whether weight decay applies: to kernels, not to BatchNorm's scale and shift nor to a bias.

    Those carry no capacity to overfit with, and a decayed BatchNorm scale only changes the effective learning rate.
    """
    return parameter.name.rsplit(".", 1)[-1] not in _NOT_DECAYED


def build_optimizer(network: nn.Cell, rates: Sequence[float], options: MindSporeOptions) -> nn.Momentum:
    """The optimiser of `network`, with one learning rate per step."""
    parameters = network.trainable_params()
    groups = [
        {"params": [each for each in parameters if is_decayed(each)], "weight_decay": options.weight_decay},
        {"params": [each for each in parameters if not is_decayed(each)], "weight_decay": 0.0},
        {"order_params": parameters},
    ]
    return nn.Momentum(groups, learning_rate=list(rates), momentum=options.momentum)
