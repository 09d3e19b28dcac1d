"""Command-line options: their defaults are those of the full-size model; imports nothing slow."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from deeplabv3.errors import RecipeError

# 3x3 convolutions of the ASPP see 6, 12 and 18 cells apart at stride 16; the same distances in pixels at stride 8.
ASPP_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}

# Blocks in the four stages. A bottleneck has three convolutions; the stem and the classifier make it "depth" layers.
STAGE_BLOCKS = {14: (1, 1, 1, 1), 26: (2, 2, 2, 2), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}


def _option(default: Any, text: str, choices: Sequence[Any] | None = None) -> Any:
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class Options:
    """Everything that can be set; one field is one `--flag=value`."""

    # model
    depth: int = _option(50, "layers of the backbone", tuple(STAGE_BLOCKS))
    cardinality: int = _option(32, "groups of a bottleneck's 3x3 convolution (32 in 32x4d)")
    width: int = _option(4, "channels of one group in the first stage (4 in 32x4d)")
    stem_channels: int = _option(64, "channels of the stem; stage i puts out 4 * 2**i times as many")
    output_stride: int = _option(16, "image pixels per cell of the last feature map", tuple(ASPP_RATES))
    aspp_channels: int = _option(256, "channels of each ASPP branch")
    aspp_rates: str = _option("", "dilation of the ASPP branches, as 6,12,18 (empty: by output stride)")
    amp_level: str = _option("O0", "O0: float32; O2: float16 but for BatchNorm; O3: float16", ("O0", "O2", "O3"))

    # data
    dataset: str = _option("synthetic", "'synthetic' or a folder in the VOC or Cityscapes layout")
    num_classes: int = _option(0, "classes (0: 21 for VOC, 19 for Cityscapes)")
    image_size: int = _option(513, "side of the square the network sees, in pixels")
    train_images: int = _option(0, "images of one epoch (0: the whole folder, or 4096 synthetic images)")
    eval_images: int = _option(0, "images evaluated (0: the whole folder, or 256 synthetic images)")
    workers: int = _option(4, "threads of a rank that read and augment images")

    # training
    batch_size: int = _option(8, "images of a rank in one micro-batch")
    accumulation: int = _option(1, "micro-batches of one optimiser step")
    epochs: int = _option(50, "passes over the training images")
    schedule: str = _option("poly", "how the learning rate decays", ("poly", "cosine"))
    learning_rate: float = _option(0.03, "highest learning rate; not scaled by the number of ranks")
    end_learning_rate: float = _option(0.0, "learning rate the schedule ends at")
    power: float = _option(0.9, "exponent of the poly schedule")
    warmup_steps: int = _option(0, "steps of linear warm-up")
    momentum: float = _option(0.9, "momentum of SGD")
    weight_decay: float = _option(1e-4, "weight decay; not applied to BatchNorm and biases")
    loss_scale: str = _option("off", "scale the loss against float16 underflow", ("off", "static", "dynamic"))
    loss_scale_value: float = _option(1024.0, "the static scale, or the first one of the dynamic")
    loss_scale_window: int = _option(1000, "steps without overflow after which the dynamic scale doubles")
    seed: int = _option(1, "decides initial weights, order of the images, augmentation and synthetic images")

    # evaluation
    eval_every: int = _option(1, "epochs between evaluations (0: only after the last)")

    # checkpoints
    checkpoint_dir: str = _option("", "folder of checkpoints (empty: none are written)")
    checkpoint_every: int = _option(500, "steps between checkpoints (0: only at the end)")
    keep_checkpoints: int = _option(3, "how many of the newest checkpoints are kept")
    resume_from: str = _option("", "checkpoint to continue from")
    stop_at_step: int = _option(0, "write a checkpoint after this step and end (0: train to the last epoch)")

    # execution
    mode: str = _option("graph", "graph, or pynative to debug", ("graph", "pynative"))
    deterministic: bool = _option(False, "ask the device for deterministic kernels")

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


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RecipeError(f"{message}; `python {self.prog} --help` lists the options")


def parse_options(argv: Sequence[str]) -> Options:
    """The options of a command line.

    Raises RecipeError for an unknown option and for a value that cannot be meant.
    """
    parser = _OneLineParser(prog="train.py", description=__doc__, allow_abbrev=False)
    types = get_type_hints(Options)
    for each in fields(Options):
        parser.add_argument(
            f"--{each.name}",
            type=_boolean if types[each.name] is bool else types[each.name],
            default=each.default,
            choices=each.metadata["choices"],
            help=f"{each.metadata['help']} (default: {each.default!r})".replace("%", "%%"),
            metavar=None if each.metadata["choices"] else "VALUE",
        )
    options = Options(**vars(parser.parse_args(argv)))
    _check(options)
    return options


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}") from None


_LOWEST = {
    "cardinality": 1,
    "width": 1,
    "stem_channels": 1,
    "aspp_channels": 1,
    "num_classes": 0,
    "image_size": 32,
    "train_images": 0,
    "eval_images": 0,
    "workers": 1,
    "batch_size": 1,
    "accumulation": 1,
    "epochs": 1,
    "end_learning_rate": 0.0,
    "power": 0.0,
    "warmup_steps": 0,
    "momentum": 0.0,
    "weight_decay": 0.0,
    "loss_scale_value": 1.0,
    "loss_scale_window": 1,
    "seed": 0,
    "eval_every": 0,
    "checkpoint_every": 0,
    "keep_checkpoints": 1,
    "stop_at_step": 0,
}


def _check(options: Options) -> None:
    for name, lowest in _LOWEST.items():
        value = getattr(options, name)
        if not lowest <= value < float("inf"):
            raise RecipeError(f"--{name}={value}: expected a number of at least {lowest}")
    if not options.end_learning_rate <= options.learning_rate < float("inf") or options.learning_rate == 0:
        raise RecipeError(
            f"--learning_rate={options.learning_rate}: expected a positive number not below "
            f"--end_learning_rate={options.end_learning_rate}"
        )
    if options.seed >= 2**32:
        raise RecipeError(f"--seed={options.seed}: expected a number below 2**32")
    if options.num_classes == 1 or options.num_classes > 255:
        raise RecipeError(f"--num_classes={options.num_classes}: expected 2 to 255; 255 itself marks ignored pixels")
    try:
        rates_are_usable = bool(options.rates) and min(options.rates) >= 1
    except ValueError:
        rates_are_usable = False
    if not rates_are_usable:
        raise RecipeError(f"--aspp_rates={options.aspp_rates}: expected positive integers as in 6,12,18")
    if options.resume_from and not Path(options.resume_from).is_file():
        raise RecipeError(f"--resume_from={options.resume_from}: no such file; expected a checkpoint of this script")
    if options.stop_at_step and not options.checkpoint_dir:
        raise RecipeError("--stop_at_step writes a checkpoint to go on from: add --checkpoint_dir=FOLDER")
