"""Cross-entropy over the labelled pixels."""

from __future__ import annotations

from mindspore import nn, ops

from training.segmentation.folders import IGNORED


class PixelCrossEntropy(nn.Cell):
    """Scores (batch, classes, H, W) and labels (batch, H, W) to the mean loss of the pixels not ignored.

    A batch without one labelled pixel has a loss of 0, not NaN.
    """

    def __init__(self, num_classes: int):
        super().__init__()
        self.num_classes = num_classes
        self.cross_entropy = ops.SoftmaxCrossEntropyWithLogits()

    def construct(self, scores, labels):
        scores = ops.transpose(scores, (0, 2, 3, 1)).reshape((-1, self.num_classes))
        labels = labels.reshape((-1,))
        counted = (labels != IGNORED).astype("float32")
        # An ignored label lies outside the classes: its one-hot row is all zero.
        targets = ops.one_hot(labels, self.num_classes).astype("float32")
        losses, _ = self.cross_entropy(scores, targets)
        return (losses * counted).sum() / ops.maximum(counted.sum(), 1.0)
