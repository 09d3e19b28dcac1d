"""Command-line options: their defaults are those of the full-size model; imports nothing slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training.errors import RecipeError
from training.options import option
from training.segmentation.options import SegmentationOptions

# 3x3 convolutions of the ASPP see 6, 12 and 18 cells apart at stride 16; the same distances in pixels at stride 8.
ASPP_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}

# Blocks in the four stages. A bottleneck has three convolutions; the stem and the classifier make it "depth" layers.
STAGE_BLOCKS = {14: (1, 1, 1, 1), 26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


@dataclass(frozen=True)
class Options(SegmentationOptions):
    """Everything that can be set; one field is one `--flag=value`."""

    depth: int = option(50, "layers of the backbone", tuple(STAGE_BLOCKS))
    cardinality: int = option(32, "groups of a bottleneck's 3x3 convolution (32 in 32x4d)")
    width: int = option(4, "channels of one group in the first stage (4 in 32x4d)")
    stem_channels: int = option(64, "channels of the stem; stage i puts out 4 * 2**i times as many")
    output_stride: int = option(16, "image pixels per cell of the last feature map", tuple(ASPP_RATES))
    aspp_channels: int = option(256, "channels of each ASPP branch")
    aspp_rates: str = option("", "dilation of the ASPP branches, as 6,12,18 (empty: by output stride)")

    # The sizes and the rate of the paper's training (Chen et al., 2017), for a global batch of 64.
    image_size: int = option(513, "side of the square the network sees, in pixels")
    batch_size: int = option(8, "images of a rank in one micro-batch")
    schedule: str = option("poly", "how the learning rate decays", ("poly", "cosine"))
    learning_rate: float = option(0.03, "highest learning rate; not scaled by the number of ranks")

    lowest: ClassVar[Mapping[str, float]] = {
        **SegmentationOptions.lowest,
        "cardinality": 1,
        "width": 1,
        "stem_channels": 1,
        "aspp_channels": 1,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            rates_are_usable = bool(self.rates) and min(self.rates) >= 1
        except ValueError:
            rates_are_usable = False
        if not rates_are_usable:
            raise RecipeError(f"--aspp_rates={self.aspp_rates}: expected positive integers as in 6,12,18")

    @property
    def stage_blocks(self) -> tuple[int, int, int, int]:
        return STAGE_BLOCKS[self.depth]

    @property
    def rates(self) -> tuple[int, ...]:
        if not self.aspp_rates:
            return ASPP_RATES[self.output_stride]
        return tuple(int(rate) for rate in self.aspp_rates.split(","))

    def architecture(self) -> dict[str, Any]:
        """What decides the meaning of a weight; a checkpoint of another architecture is refused."""
        names = ("depth", "cardinality", "width", "stem_channels", "output_stride", "aspp_channels")
        return {name: getattr(self, name) for name in names} | {"aspp_rates": list(self.rates)}
