"""The network: a ResNeXt backbone with the DeepLabV3 head (Chen et al., 2017)."""

from __future__ import annotations

from mindspore import nn, ops

from deeplabv3.backbone import ResNeXt, conv
from deeplabv3.options import Options


def conv_bn_relu(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.SequentialCell:
    return nn.SequentialCell(conv(inputs, outputs, kernel, dilation=dilation), nn.BatchNorm2d(outputs), nn.ReLU())


class ImagePooling(nn.Cell):
    """The mean of the whole feature map, spread over every cell of it.

    A mean over the axes, not an average pool: AvgPool stays on the AI Core only up to a kernel of 255 cells (or 20 on
    either side), and the map of a 513-pixel image at stride 16 has 33 x 33 = 1089.
    """

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.project = conv_bn_relu(inputs, outputs, 1)

    def construct(self, x):
        pooled = self.project(ops.mean(x, (2, 3), True))
        return ops.broadcast_to(pooled, (-1, -1, x.shape[2], x.shape[3]))


class ASPP(nn.Cell):
    """Parallel views of the features: 1x1, 3x3 at each dilation rate, and the whole image."""

    def __init__(self, inputs: int, outputs: int, rates: tuple[int, ...]):
        super().__init__()
        branches = [conv_bn_relu(inputs, outputs, 1)]
        branches += [conv_bn_relu(inputs, outputs, 3, rate) for rate in rates]
        branches.append(ImagePooling(inputs, outputs))
        self.branches = nn.CellList(branches)
        self.project = conv_bn_relu(outputs * len(branches), outputs, 1)

    def construct(self, x):
        views = ()
        for branch in self.branches:
            views += (branch(x),)
        return self.project(ops.cat(views, 1))


class DeepLabV3(nn.Cell):
    """Images (batch, 3, H, W) to float32 class scores (batch, classes, H, W).

    There is no dropout: nothing random remains in the network, so a resumed run repeats the uninterrupted one.
    """

    def __init__(self, options: Options, num_classes: int):
        super().__init__()
        self.backbone = ResNeXt(
            options.stage_blocks, options.cardinality, options.width, options.stem_channels, options.output_stride
        )
        self.aspp = ASPP(self.backbone.channels, options.aspp_channels, options.rates)
        self.classifier = nn.Conv2d(options.aspp_channels, num_classes, 1, has_bias=True, bias_init="zeros")

    def construct(self, images):
        scores = self.classifier(self.aspp(self.backbone(images)))
        size = (images.shape[2], images.shape[3])
        return ops.interpolate(scores.astype("float32"), size=size, mode="bilinear", align_corners=True)
