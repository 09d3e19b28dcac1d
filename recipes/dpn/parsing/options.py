"""Command-line options: their defaults are the sizes of the paper (Liu et al., 2015); imports nothing slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training.errors import RecipeError
from training.options import option
from training.segmentation.options import SegmentationOptions

# VGG-16's five stages: 3x3 convolutions, their channels in widths of the first stage, and how far apart the cells are
# that a kernel sees. Of the five poolings the first three remain; for want of the fourth, kernels of the fifth stage
# reach twice as far.
STAGES = ((2, 1, 1), (2, 2, 1), (3, 4, 1), (3, 8, 1), (3, 8, 2))
POOLED_STAGES = 3
TRUNK_STRIDE = 2**POOLED_STAGES

_MODEL = (
    "width",
    "fc6_kernel",
    "fc6_dilation",
    "fc_channels",
    "mrf_stride",
    "local_window",
    "colour_deviation",
    "position_deviation",
    "context_window",
    "mixtures",
)


@dataclass(frozen=True)
class Options(SegmentationOptions):
    """Everything that can be set; one field is one `--flag=value`."""

    # unary term
    width: int = option(64, "channels of the trunk's first stage (64 in VGG-16); the last two have 8 times as many")
    fc6_kernel: int = option(25, "side of the kernel of fc6, odd")
    fc6_dilation: int = option(1, "distance of its cells; 7 cells 4 apart see what 25 see, with 49 weights of 625")
    fc_channels: int = option(4096, "channels of fc6 and fc7")

    # pairwise term
    mrf_stride: int = option(1, "image pixels per node of the random field, in either direction", (1, 2, 4, 8))
    local_window: int = option(50, "side of the window in which a node's label is averaged, in nodes")
    colour_deviation: float = option(0.5, "deviation of the weights by colour, in deviations of ImageNet's colours")
    position_deviation: float = option(0.25, "deviation of the weights by distance, in windows")
    context_window: int = option(9, "side of the filters that learn which labels go together, in nodes, odd")
    mixtures: int = option(5, "such filters for each class, of whose penalties the least counts")

    image_size: int = option(512, "side of the square the network sees, in pixels")
    batch_size: int = option(1, "images of a rank in one micro-batch")
    schedule: str = option("poly", "how the learning rate decays", ("poly", "cosine"))
    learning_rate: float = option(0.01, "highest learning rate; not scaled by the number of ranks")
    weight_decay: float = option(5e-4, "weight decay; not applied to biases")

    lowest: ClassVar[Mapping[str, float]] = {
        **SegmentationOptions.lowest,
        "width": 1,
        "fc6_kernel": 1,
        "fc6_dilation": 1,
        "fc_channels": 1,
        "local_window": 1,
        "colour_deviation": 1e-3,
        "position_deviation": 1e-3,
        "context_window": 1,
        "mixtures": 1,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("fc6_kernel", "context_window"):
            if getattr(self, name) % 2 == 0:
                raise RecipeError(f"--{name}={getattr(self, name)}: expected an odd number, for a cell in the middle")
        if self.image_size % TRUNK_STRIDE:
            raise RecipeError(f"--image_size={self.image_size}: expected a multiple of {TRUNK_STRIDE}")

    def architecture(self) -> dict[str, Any]:
        """What decides the meaning of a weight; a checkpoint of another architecture is refused."""
        return {name: getattr(self, name) for name in _MODEL}
