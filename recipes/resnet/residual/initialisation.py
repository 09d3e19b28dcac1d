"""The first weights of the network."""

from __future__ import annotations

import math

from mindspore import nn
from mindspore.common.initializer import HeNormal, Initializer, TruncatedNormal, XavierUniform, initializer

# A normal distribution cut off at twice its deviation has this much of the deviation left.
_LEFT_OF_DEVIATION = 0.87962566


def initialise(network: nn.Cell, distribution: str) -> None:
    """Draw the weights of convolutions and of the classifier; BatchNorm starts as it is made, as the identity.

    Convolutions: `kaiming` and `truncated_normal` keep the variance through a ReLU, which takes half of it: backwards
    (torchvision's choice) and forwards. `xavier` counts on no ReLU, and keeps the variance halfway between both
    directions. The classifier is always of the last kind: no ReLU follows it.
    """
    for _, cell in network.cells_and_names():
        if isinstance(cell, nn.Conv2d):
            _draw(cell, _convolution(distribution, cell))
        elif isinstance(cell, nn.Dense):
            _draw(cell, XavierUniform())
            cell.bias.set_data(initializer("zeros", cell.bias.shape, cell.bias.dtype))


def _convolution(distribution: str, cell: nn.Conv2d) -> Initializer:
    if distribution == "xavier":
        return XavierUniform()
    if distribution == "truncated_normal":
        fan_in = math.prod(cell.weight.shape[1:])
        deviation = math.sqrt(2 / fan_in) / _LEFT_OF_DEVIATION
        return TruncatedNormal(deviation, a=-2 * deviation, b=2 * deviation)  # MindSpore's bounds are absolute
    return HeNormal(mode="fan_out", nonlinearity="relu")


def _draw(cell: nn.Cell, distribution: Initializer) -> None:
    cell.weight.set_data(initializer(distribution, cell.weight.shape, cell.weight.dtype))
