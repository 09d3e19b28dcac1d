"""ResNeXt (Xie et al., 2017) as a feature extractor with a chosen output stride."""

from __future__ import annotations

from mindspore import nn
from mindspore.common.initializer import HeNormal

EXPANSION = 4

_STAGES = 4


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution before a BatchNorm: no bias, padded so that stride 1 keeps the size."""
    return nn.Conv2d(
        inputs,
        outputs,
        kernel,
        stride,
        pad_mode="pad",
        padding=dilation * (kernel // 2),
        dilation=dilation,
        group=groups,
        weight_init=HeNormal(mode="fan_out", nonlinearity="relu"),
    )


class Bottleneck(nn.Cell):
    """1x1, grouped 3x3 and 1x1 convolution around a shortcut."""

    def __init__(self, inputs: int, width: int, outputs: int, groups: int, stride: int, dilation: int):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride, dilation, groups), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, outputs, 1), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU()
        self.projects = stride != 1 or inputs != outputs
        if self.projects:
            self.projection = nn.SequentialCell(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def construct(self, x):
        shortcut = self.projection(x) if self.projects else x
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.relu(self.bn3(self.conv3(y)) + shortcut)


class ResNeXt(nn.Cell):
    """Images (batch, 3, H, W) to features (batch, `channels`, H / output_stride, W / output_stride), rounded up."""

    def __init__(
        self, blocks: tuple[int, int, int, int], cardinality: int, width: int, stem_channels: int, output_stride: int
    ):
        super().__init__()
        self.stem = nn.SequentialCell(
            conv(3, stem_channels, 7, stride=2),
            nn.BatchNorm2d(stem_channels),
            nn.ReLU(),
            nn.MaxPool2d(3, stride=2, pad_mode="same"),
        )
        stages = []
        inputs, stride_so_far, dilation = stem_channels, 4, 1
        for stage in range(_STAGES):
            bottleneck_width = cardinality * width * 2**stage
            outputs = stem_channels * EXPANSION * 2**stage
            stride = 1 if stage == 0 else 2
            # The first block still sees the spacing of the stage before it, as it would with its stride; the blocks
            # after it are dilated in place of the stride. So weights trained at stride 32 mean the same here.
            first_dilation = dilation
            if stride_so_far * stride > output_stride:
                dilation, stride = dilation * stride, 1
            stride_so_far *= stride
            cells = []
            for block in range(blocks[stage]):
                cells.append(
                    Bottleneck(
                        inputs,
                        bottleneck_width,
                        outputs,
                        cardinality,
                        stride if block == 0 else 1,
                        first_dilation if block == 0 else dilation,
                    )
                )
                inputs = outputs
            stages.append(nn.SequentialCell(cells))
        self.stages = nn.SequentialCell(stages)
        self.channels = inputs

    def construct(self, x):
        return self.stages(self.stem(x))
