"""Command-line options: their defaults are those of ResNet-50 on ImageNet; imports nothing slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training.errors import RecipeError
from training.options import MindSporeOptions, option

# Blocks in the four stages. 18 to 152 layers are the published ones; 10 and 14 are for where there is no NPU.
BASIC_BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}
BOTTLENECKS = {14: (1, 1, 1, 1), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@dataclass(frozen=True)
class Options(MindSporeOptions):
    """Everything that can be set; one field is one `--flag=value`."""

    depth: int = option(
        50, "layers: 10, 18 and 34 have basic blocks, the others bottlenecks", tuple(sorted(BASIC_BLOCKS | BOTTLENECKS))
    )
    width: int = option(64, "channels of the first stage, within its blocks; each further one has twice as many")
    stem: str = option("7x7", "7x7 with pooling for photos, 3x3 for images of 32 pixels", ("7x7", "3x3"))
    initialisation: str = option(
        "kaiming", "distribution of the convolutions' first weights", ("kaiming", "xavier", "truncated_normal")
    )

    dataset: str = option(
        "synthetic", "'synthetic', a folder in the ImageNet layout (train/<class>/, val/<class>/) or of CIFAR-10's .bin"
    )

    # The sizes and the rate of the paper's training, for a global batch of 256.
    epochs: int = option(90, "passes over the training images")
    label_smoothing: float = option(0.1, "share of the target that is spread over all classes")

    lowest: ClassVar[Mapping[str, float]] = {**MindSporeOptions.lowest, "width": 1, "label_smoothing": 0.0}

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_smoothing >= 1:
            raise RecipeError(f"--label_smoothing={self.label_smoothing}: expected a number below 1")

    def architecture(self) -> dict[str, Any]:
        """What decides the shape of the network, but for the classes."""
        return {name: getattr(self, name) for name in ("depth", "width", "stem")}
