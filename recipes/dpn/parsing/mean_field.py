"""The pairwise term: layers that together do one pass of a mean field (Liu et al., 2015, section 3).

The energy of a labelling has a term for each node, and one for each pair of nodes j near i: how badly label v at j
goes with label u at i (a mixture of `mixtures` learnt contexts), times the belief that j has label v, which the nodes
z around j share in as they are like j in place and colour (the triple penalty). One pass of the mean field needs the
sums over z, over j and v, and the least over the mixture: a convolution whose filter is another at each node, an
ordinary convolution, and a minimum over groups of channels.
"""

from __future__ import annotations

import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.common.initializer import Normal


def windows(values: Tensor, side: int) -> Tensor:
    """What each node sees around it: (batch, C, H, W) to (batch, C, side * side, H, W), 0 outside of the map.

    An even window reaches one node farther to the left and up. All shapes follow from that of the argument and from
    `side`, both of which are known when the graph is compiled.
    """
    batch, channels, height, width = values.shape
    beyond = 1 - side % 2  # windows of an even side end in one place more than there are nodes
    # The padding is unfold's own: a graph with two of ops.pad comes to stand still on a CPU (MindSpore 2.10).
    seen = ops.unfold(values, side, padding=side // 2)
    seen = seen.reshape((batch, channels, side * side, height + beyond, width + beyond))
    return seen[:, :, :, :height, :width] if beyond else seen


def position_weights(side: int, deviation: float) -> np.ndarray:
    """Gaussian weights of the places of a window by their distance from its node: float32 (side * side,), of sum 1."""
    offsets = np.arange(side) - side // 2
    squared = offsets[:, None] ** 2 + offsets[None, :] ** 2
    weights = np.exp(-squared / (2 * deviation**2)).reshape(-1)
    return (weights / weights.sum()).astype(np.float32)


class LocalConvolution(nn.Cell):
    """Beliefs averaged over the window of each node, with a filter of its own that all classes share.

    The weight of a neighbour is Gaussian in its distance, which is known beforehand, and in the difference of colours,
    which is that of the image: (batch, classes, H, W) and (batch, 3, H, W) to (batch, classes, H, W). There is nothing
    to learn in the filters, so no gradient goes through them.
    """

    def __init__(self, side: int, position_deviation: float, colour_deviation: float):
        super().__init__()
        self.side = side
        by_position = position_weights(side, position_deviation * side)
        self.by_position = Tensor(by_position.reshape(1, side * side, 1, 1))
        self.sharpness = 1.0 / (2 * colour_deviation**2)

    def construct(self, beliefs, image):
        return (windows(beliefs, self.side) * self.filters(image).expand_dims(1)).sum(2)

    def filters(self, image):
        """The filter of each node: (batch, side * side, H, W)."""
        differences = windows(image, self.side) - image.expand_dims(2)
        alike = ops.exp(-self.sharpness * (differences * differences).sum(1))
        return ops.stop_gradient(self.by_position * alike)


class BlockMin(nn.Cell):
    """The least of each `size` channels that follow each other: (batch, n * size, H, W) to (batch, n, H, W)."""

    def __init__(self, size: int):
        super().__init__()
        self.size = size

    def construct(self, x):
        batch, channels, height, width = x.shape
        return ops.amin(x.reshape((batch, channels // self.size, self.size, height, width)), 2)


class MeanField(nn.Cell):
    """Unary scores (batch, classes, H, W) and the image (batch, 3, H, W) at the nodes to scores of the same shape.

    A softmax over the classes makes of the result what the mean field makes of the beliefs in one pass.
    """

    def __init__(
        self,
        classes: int,
        local_window: int,
        position_deviation: float,
        colour_deviation: float,
        context_window: int,
        mixtures: int,
    ):
        super().__init__()
        self.local = LocalConvolution(local_window, position_deviation, colour_deviation)
        self.contexts = nn.Conv2d(
            classes,
            classes * mixtures,
            context_window,
            pad_mode="pad",
            padding=context_window // 2,
            weight_init=Normal(0.01),
        )
        self.least = BlockMin(mixtures)

    def construct(self, scores, image):
        beliefs = ops.sigmoid(scores)
        penalties = self.least(self.contexts(self.local(beliefs, image)))
        return -ops.softplus(-scores) - penalties  # the logarithm of the beliefs, without that of a 0
