"""ResNeXt-DeepLabV3 as the trainer asks for it."""

from __future__ import annotations

from typing import Any

from mindspore import nn
from training.dataset import Dataset
from training.on_mindspore.segmentation import SegmentationTask
from training.sampling import Sampling

from deeplabv3.model import DeepLabV3
from deeplabv3.options import Options


class DeepLabTask(SegmentationTask):
    def __init__(self, options: Options, sampling: Sampling, dataset: Dataset):
        super().__init__(options, sampling, dataset)
        self.options: Options = options

    def build_network(self) -> nn.Cell:
        return DeepLabV3(self.options, self.classes)

    def model(self) -> dict[str, Any]:
        return self.options.architecture()
