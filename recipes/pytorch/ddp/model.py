"""The network: a ResNet of basic blocks (He et al., 2015), its parameters named as torchvision names them."""

from __future__ import annotations

from torch import Tensor, nn


def conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; `stride` is that of the first."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.conv1, self.bn1 = conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs)
        self.conv2, self.bn2 = conv(outputs, outputs, 3), nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + self.downsample(x))


def stage(inputs: int, outputs: int, blocks: int, stride: int) -> nn.Sequential:
    rest = (BasicBlock(outputs, outputs, 1) for _ in range(blocks - 1))
    return nn.Sequential(BasicBlock(inputs, outputs, stride), *rest)


class ResNet(nn.Module):
    """Images (batch, 3, H, W) to class scores (batch, classes).

    There is no dropout: nothing random remains in the network, so a resumed run repeats the uninterrupted one.
    """

    def __init__(self, stage_blocks: tuple[int, int, int, int], width: int, stem: str, classes: int):
        super().__init__()
        self.conv1 = conv(3, width, 7, 2) if stem == "7x7" else conv(3, width, 3)
        self.bn1, self.relu = nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1) if stem == "7x7" else nn.Identity()
        self.layer1 = stage(width, width, stage_blocks[0], 1)
        self.layer2 = stage(width, width * 2, stage_blocks[1], 2)
        self.layer3 = stage(width * 2, width * 4, stage_blocks[2], 2)
        self.layer4 = stage(width * 4, width * 8, stage_blocks[3], 2)
        self.fc = nn.Linear(width * 8, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(images))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))
