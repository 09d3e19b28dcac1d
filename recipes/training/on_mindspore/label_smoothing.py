"""Cross-entropy against smoothed labels."""

from __future__ import annotations

from mindspore import nn, ops


class LabelSmoothing(nn.Cell):
    """Scores (batch, classes) and labels (batch,) to the mean cross-entropy (Szegedy et al., 2016).

    The target is `1 - smoothing` on the label, and `smoothing` spread evenly over all classes.
    """

    def __init__(self, classes: int, smoothing: float):
        super().__init__()
        self.classes, self.on_label, self.on_each = classes, 1.0 - smoothing, smoothing / classes
        self.cross_entropy = ops.SoftmaxCrossEntropyWithLogits()

    def construct(self, scores, labels):
        targets = ops.one_hot(labels, self.classes).astype("float32") * self.on_label + self.on_each
        losses, _ = self.cross_entropy(scores, targets)
        return losses.mean()
