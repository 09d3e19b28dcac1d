"""Command-line options: their defaults are those of ResNet-18 on ImageNet; imports nothing slow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from training.errors import RecipeError
from training.options import TrainingOptions, option

# Blocks in the four stages. A block has two convolutions; the stem and the classifier make it "depth" layers.
STAGE_BLOCKS = {10: (1, 1, 1, 1), 18: (2, 2, 2, 2), 34: (3, 4, 6, 3)}


@dataclass(frozen=True)
class Options(TrainingOptions):
    """Everything that can be set; one field is one `--flag=value`."""

    dataset: str = option(
        "synthetic", "'synthetic', CIFAR-10's binary files, or a folder of train/<class>/ and val/<class>/"
    )

    # model
    depth: int = option(18, "layers of the ResNet", tuple(STAGE_BLOCKS))
    width: int = option(64, "channels of the first stage; each further one has twice as many")
    stem: str = option("7x7", "7x7 with pooling for photos, 3x3 for images of 32 pixels", ("7x7", "3x3"))

    # training
    epochs: int = option(90, "passes over the training images")
    label_smoothing: float = option(0.1, "share of the target that is spread over all classes")
    clip_norm: float = option(0.0, "largest norm of the gradients (0: any)")
    amp: str = option(
        "off", "type of convolutions and products; float16 on an NPU only", ("off", "bfloat16", "float16")
    )
    loss_scale: str = option("off", "scale the loss against float16 underflow", ("off", "dynamic"))
    loss_scale_value: float = option(65536.0, "the first loss scale")
    loss_scale_window: int = option(2000, "steps without overflow after which the loss scale doubles")

    lowest: ClassVar[Mapping[str, float]] = {
        **TrainingOptions.lowest,
        "width": 1,
        "label_smoothing": 0.0,
        "clip_norm": 0.0,
    }

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.label_smoothing >= 1:
            raise RecipeError(f"--label_smoothing={self.label_smoothing}: expected a number below 1")
        if self.amp == "float16" and self.loss_scale == "off":
            raise RecipeError("--amp=float16: small gradients would be lost; add --loss_scale=dynamic")

    @property
    def stage_blocks(self) -> tuple[int, int, int, int]:
        return STAGE_BLOCKS[self.depth]

    def architecture(self, classes: int) -> dict[str, Any]:
        """What decides the meaning of a weight; a checkpoint of another architecture is refused."""
        return {"depth": self.depth, "width": self.width, "stem": self.stem, "classes": classes}
