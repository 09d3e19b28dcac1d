"""ResNet (He et al., 2016) as torchvision has it: a bottleneck's stride is that of its 3x3 convolution.

Cells have torchvision's names, so each of its weights has one place here: `weight` and `bias` of a BatchNorm are called
`gamma` and `beta`, `running_mean` and `running_var` are `moving_mean` and `moving_variance`; the rest is the same.
"""

from __future__ import annotations

from mindspore import nn, ops

from residual.options import BASIC_BLOCKS, BOTTLENECKS


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A convolution before a BatchNorm: no bias, padded so that stride 1 keeps the size."""
    return nn.Conv2d(inputs, outputs, kernel, stride, pad_mode="pad", padding=kernel // 2)


class Block(nn.Cell):
    """Convolutions around a shortcut, which is a projection where the size or the number of channels changes."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.relu = nn.ReLU()
        self.projects = stride != 1 or inputs != outputs
        if self.projects:
            self.downsample = nn.SequentialCell(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def construct(self, x):
        shortcut = self.downsample(x) if self.projects else x
        return self.relu(self.residual(x) + shortcut)


class BasicBlock(Block):
    """Two 3x3 convolutions."""

    expansion = 1

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__(inputs, width * self.expansion, stride)
        self.conv1, self.bn1 = conv(inputs, width, 3, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3), nn.BatchNorm2d(width)

    def residual(self, x):
        return self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))


class Bottleneck(Block):
    """1x1, 3x3 and 1x1 convolution; the last has four times the channels of the others."""

    expansion = 4

    def __init__(self, inputs: int, width: int, stride: int):
        super().__init__(inputs, width * self.expansion, stride)
        self.conv1, self.bn1 = conv(inputs, width, 1), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv(width, width, 3, stride), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = conv(width, width * self.expansion, 1), nn.BatchNorm2d(width * self.expansion)

    def residual(self, x):
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.relu(self.bn2(self.conv2(y)))
        return self.bn3(self.conv3(y))


class ResNet(nn.Cell):
    """Images (batch, 3, H, W) to float32 class scores (batch, classes)."""

    def __init__(self, depth: int, width: int, stem: str, classes: int):
        super().__init__()
        block = BasicBlock if depth in BASIC_BLOCKS else Bottleneck
        blocks = {**BASIC_BLOCKS, **BOTTLENECKS}[depth]
        self.for_photos = stem == "7x7"
        self.conv1 = conv(3, width, 7, stride=2) if self.for_photos else conv(3, width, 3)
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU()
        # A row or column of zeros on each side, as in torchvision. Of the pool's own pad modes, "same" pads an even
        # size on one side only, and "pad" is a pool in three dimensions. What comes out of a ReLU is never below these
        # zeros, so they change no maximum.
        self.border = nn.Pad(((0, 0), (0, 0), (1, 1), (1, 1)))
        self.maxpool = nn.MaxPool2d(3, stride=2, pad_mode="valid")
        inputs = width
        stages = []
        for stage, count in enumerate(blocks):
            inside = width * 2**stage
            cells = []
            for number in range(count):
                cells.append(block(inputs, inside, stride=2 if stage > 0 and number == 0 else 1))
                inputs = inside * block.expansion
            stages.append(nn.SequentialCell(cells))
        self.layer1, self.layer2, self.layer3, self.layer4 = stages
        self.fc = nn.Dense(inputs, classes)

    def construct(self, images):
        x = self.relu(self.bn1(self.conv1(images)))
        if self.for_photos:
            x = self.maxpool(self.border(x))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        # torchvision's adaptive average pool to 1x1 is the mean over the map, whatever its size. As a mean it is one
        # reduction on the AI Core; as an average pool it is one only up to a kernel of 255 cells.
        return self.fc(ops.mean(x, (2, 3))).astype("float32")
