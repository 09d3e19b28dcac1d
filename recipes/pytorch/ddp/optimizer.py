"""SGD with momentum, whose weight decay spares what should not shrink."""

from __future__ import annotations

import torch
from torch import nn

from ddp.options import Options


def build_optimizer(network: nn.Module, options: Options) -> torch.optim.SGD:
    """Weights of convolutions and of the classifier decay; BatchNorm's parameters and biases do not."""
    decayed = [each for each in network.parameters() if each.ndim > 1]
    spared = [each for each in network.parameters() if each.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": options.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=options.learning_rate, momentum=options.momentum)
