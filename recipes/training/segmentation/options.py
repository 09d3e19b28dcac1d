"""The options of scripts that give each pixel its class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from training.errors import RecipeError
from training.options import MindSporeOptions, option


@dataclass(frozen=True)
class SegmentationOptions(MindSporeOptions):
    dataset: str = option("synthetic", "'synthetic' or a folder in the VOC or Cityscapes layout")
    num_classes: int = option(0, "classes (0: 21 for VOC, 19 for Cityscapes)")

    lowest: ClassVar[Mapping[str, float]] = {**MindSporeOptions.lowest, "num_classes": 0, "image_size": 32}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_classes == 1 or self.num_classes > 255:
            raise RecipeError(f"--num_classes={self.num_classes}: expected 2 to 255; 255 itself marks ignored pixels")
