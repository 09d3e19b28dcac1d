"""VGG-16 (Simonyan and Zisserman, 2015) without its last two poolings, as a feature extractor of stride 8."""

from __future__ import annotations

from mindspore import nn
from mindspore.common.initializer import HeNormal

from parsing.options import POOLED_STAGES, STAGES


def conv_relu(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.SequentialCell:
    """A convolution with bias that keeps the size; `kernel` is odd."""
    convolution = nn.Conv2d(
        inputs,
        outputs,
        kernel,
        pad_mode="pad",
        padding=dilation * (kernel // 2),
        dilation=dilation,
        has_bias=True,
        weight_init=HeNormal(mode="fan_in", nonlinearity="relu"),
        bias_init="zeros",
    )
    return nn.SequentialCell(convolution, nn.ReLU())


class Trunk(nn.Cell):
    """Images (batch, 3, H, W) to features (batch, `channels`, H / 8, W / 8); H and W are multiples of 8."""

    def __init__(self, width: int):
        super().__init__()
        stages = []
        inputs = 3
        for stage, (convolutions, widths, dilation) in enumerate(STAGES):
            cells = []
            for _ in range(convolutions):
                cells.append(conv_relu(inputs, width * widths, 3, dilation))
                inputs = width * widths
            if stage < POOLED_STAGES:
                cells.append(nn.MaxPool2d(2, stride=2))
            stages.append(nn.SequentialCell(cells))
        self.stages = nn.SequentialCell(stages)
        self.channels = inputs

    def construct(self, images):
        return self.stages(images)
