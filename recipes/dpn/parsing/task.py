"""The Deep Parsing Network as the trainer asks for it."""

from __future__ import annotations

from typing import Any

from mindspore import nn
from training.dataset import Dataset
from training.on_mindspore.segmentation import SegmentationTask
from training.sampling import Sampling

from parsing.model import DeepParsingNetwork
from parsing.options import Options


class ParsingTask(SegmentationTask):
    def __init__(self, options: Options, sampling: Sampling, dataset: Dataset):
        super().__init__(options, sampling, dataset)
        self.options: Options = options

    def build_network(self) -> nn.Cell:
        return DeepParsingNetwork(self.options, self.classes)

    def model(self) -> dict[str, Any]:
        return self.options.architecture()
