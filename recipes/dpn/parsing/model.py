"""The network: a unary term, and one pass of the mean field on top of it."""

from __future__ import annotations

from mindspore import nn, ops

from parsing.mean_field import MeanField
from parsing.options import Options
from parsing.trunk import Trunk, conv_relu


class UnaryTerm(nn.Cell):
    """Images (batch, 3, H, W) to class scores (batch, classes, H / 8, W / 8), each of a cell by itself.

    fc6 and fc7 are VGG-16's fully connected layers as convolutions: fc6 over `fc6_kernel` x `fc6_kernel` cells. There
    is no dropout: nothing random remains in the network, so a resumed run repeats the uninterrupted one.
    """

    def __init__(self, options: Options, classes: int):
        super().__init__()
        self.trunk = Trunk(options.width)
        self.fc6 = conv_relu(self.trunk.channels, options.fc_channels, options.fc6_kernel, options.fc6_dilation)
        self.fc7 = conv_relu(options.fc_channels, options.fc_channels, 1)
        self.classifier = nn.Conv2d(options.fc_channels, classes, 1, has_bias=True, bias_init="zeros")

    def construct(self, images):
        return self.classifier(self.fc7(self.fc6(self.trunk(images))))


class DeepParsingNetwork(nn.Cell):
    """Images (batch, 3, H, W) to float32 class scores (batch, classes, H, W), whose softmax are the beliefs.

    The random field has a node for each `mrf_stride` x `mrf_stride` pixels.
    """

    def __init__(self, options: Options, classes: int):
        super().__init__()
        self.unary = UnaryTerm(options, classes)
        self.mean_field = MeanField(
            classes,
            options.local_window,
            options.position_deviation,
            options.colour_deviation,
            options.context_window,
            options.mixtures,
        )
        self.colours = nn.AvgPool2d(options.mrf_stride, options.mrf_stride)
        self.stride = options.mrf_stride

    def construct(self, images):
        height, width = images.shape[2], images.shape[3]
        scores = self.unary(images).astype("float32")
        scores = _resized(scores, (height // self.stride, width // self.stride))
        return _resized(self.mean_field(scores, self.colours(images)), (height, width))


def _resized(scores, size):
    if scores.shape[2:] == size:
        return scores
    return ops.interpolate(scores, size=size, mode="bilinear", align_corners=True)
