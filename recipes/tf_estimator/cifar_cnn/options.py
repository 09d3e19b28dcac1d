"""Command-line options of this script; imports nothing slow, and runs on Python 3.7, which TensorFlow 1.15 needs."""

from __future__ import annotations

from dataclasses import dataclass

from training.errors import RecipeError
from training.options import at_least, option

# What CANN knows by these names: hiascend.com, TF Adapter, precision_mode.
MIXED_PRECISION = ("allow_mix_precision", "allow_mix_precision_fp16", "allow_mix_precision_bf16")
PRECISION_MODES = (
    "",
    "allow_fp32_to_fp16",
    "force_fp16",
    "cube_fp16in_fp32out",
    "force_fp32",
    "must_keep_origin_dtype",
    "allow_fp32_to_bf16",
    *MIXED_PRECISION,
)

_LOWEST = {
    "train_images": 1,
    "eval_images": 0,
    "blocks": 1,
    "width": 1,
    "batch_size": 1,
    "epochs": 1,
    "warmup_steps": 0,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "seed": 0,
    "iterations_per_loop": 1,
    "loss_scale_value": 1.0,
    "loss_scale_window": 1,
    "log_every": 1,
    "checkpoint_every": 1,
    "keep_checkpoints": 1,
}


@dataclass(frozen=True)
class Options:
    """Everything that can be set; one field is one `--flag=value`. The defaults are those of a full-size run."""

    # data
    dataset: str = option("synthetic", "'synthetic', or the folder of CIFAR-10's binary version")
    train_images: int = option(50000, "images of one epoch, of those that there are")
    eval_images: int = option(10000, "images evaluated after training (0: none)")

    # model
    blocks: int = option(3, "residual blocks in each of the three stages; 3 make a network of 20 layers")
    width: int = option(16, "channels of the first stage; each of the others has twice as many as the one before")

    # training
    batch_size: int = option(128, "images of a rank in one step")
    epochs: int = option(180, "passes over the training images")
    learning_rate: float = option(0.1, "highest learning rate; not scaled by the number of ranks")
    schedule: str = option("cosine", "how the learning rate decays", ("poly", "cosine"))
    warmup_steps: int = option(0, "steps of linear warm-up")
    momentum: float = option(0.9, "momentum of SGD")
    weight_decay: float = option(1e-4, "weight decay; not applied to BatchNorm and biases")
    seed: int = option(1, "decides initial weights, order of the images, augmentation and synthetic images")

    # how an NPU executes it; none of these has an effect on the CPU
    precision_mode: str = option("", "how CANN lowers float32 operators (empty: the chip's default)", PRECISION_MODES)
    modify_mixlist: str = option("", "JSON file that moves operators between the lists of mixed precision")
    loss_scale: str = option("off", "scale the loss against float16 underflow", ("off", "static", "dynamic"))
    loss_scale_value: float = option(65536.0, "the static scale, or the first one of the dynamic")
    loss_scale_window: int = option(1000, "steps without overflow after which the dynamic scale doubles")
    mix_compile_mode: bool = option(False, "leave operators that the NPU cannot have, such as tables, to the host")
    iterations_per_loop: int = option(1, "steps on the device between two visits to the host")

    # progress
    log_every: int = option(100, "steps between two lines of the loss")
    checkpoint_dir: str = option("", "folder of checkpoints (empty: they are gone after the evaluation)")
    checkpoint_every: int = option(1000, "steps between checkpoints; there is one at the end in any case")
    keep_checkpoints: int = option(3, "how many of the newest checkpoints are kept")
    resume_from: str = option("", "the .index file of a checkpoint to continue from")

    def __post_init__(self) -> None:
        at_least(self, _LOWEST)
        if not 0 < self.learning_rate < float("inf"):
            raise RecipeError(f"--learning_rate={self.learning_rate}: expected a positive number")
        if self.seed >= 2**31:
            raise RecipeError(f"--seed={self.seed}: expected a number below 2**31")
