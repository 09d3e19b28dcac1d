"""How many steps a training has, and which of them a checkpoint has behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from training.errors import RecipeError

from cifar_cnn.options import Options

_CHECKPOINT = re.compile(r"model\.ckpt-(\d+)\.index")


@dataclass(frozen=True)
class Steps:
    """Steps of all ranks together: in each, every rank takes one batch."""

    per_epoch: int
    total: int
    done: int


def count_steps(options: Options, images: int, ranks: int) -> Steps:
    """The steps of a training on `images` images.

    Raises RecipeError when there is not one, and when they do not come out even in loops on the device: TF Adapter
    wants the number of steps, and that between two checkpoints, to be multiples of iterations_per_loop.
    """
    together, loop = options.batch_size * ranks, options.iterations_per_loop
    per_epoch = images // together
    if per_epoch == 0:
        raise RecipeError(
            f"{images} training images, but one step takes {together} ({ranks} ranks x {options.batch_size}): "
            "lower --batch_size or raise --train_images"
        )
    steps = Steps(per_epoch, per_epoch * options.epochs, step_of(options.resume_from) if options.resume_from else 0)
    left = steps.total - steps.done
    if left > 0 and left % loop:
        fitting = next(size for size in range(min(loop, left), 0, -1) if left % size == 0)
        raise RecipeError(
            f"--iterations_per_loop={loop}: {left} steps are no multiple of it; expected a divisor, as {fitting}"
        )
    if options.checkpoint_every % loop:
        raise RecipeError(
            f"--checkpoint_every={options.checkpoint_every}: expected a multiple of --iterations_per_loop={loop}"
        )
    return steps


def step_of(checkpoint: str) -> int:
    """The step that an Estimator has put into the name of a checkpoint's .index file.

    Raises RecipeError for any other name.
    """
    match = _CHECKPOINT.fullmatch(Path(checkpoint).name)
    if match is None:
        raise RecipeError(f"--resume_from={checkpoint}: expected a file named model.ckpt-<step>.index")
    return int(match.group(1))
