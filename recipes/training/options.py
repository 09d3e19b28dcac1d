"""Command-line options as dataclasses, and those that every training script has; imports nothing slow."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, NoReturn, TypeVar, get_type_hints

from training.errors import RecipeError


def option(default: Any, text: str, choices: Sequence[Any] | None = None) -> Any:
    """A field that is one `--flag=value`."""
    return field(default=default, metadata={"help": text, "choices": choices})


@dataclass(frozen=True)
class TrainingOptions:
    """What can be set whatever is trained; the defaults are those of a full-size run.

    A script adds its own in a subclass, and may give these other defaults. `lowest` holds the least value of each
    number; a subclass adds to it.
    """

    # data
    dataset: str = option("synthetic", "'synthetic' or a folder")
    image_size: int = option(224, "side of the square the network sees, in pixels")
    train_images: int = option(0, "images of one epoch (0: the whole folder, or 4096 synthetic images)")
    eval_images: int = option(0, "images evaluated (0: the whole folder, or 256 synthetic images)")
    workers: int = option(4, "threads of a rank that read and augment images")

    # training
    batch_size: int = option(32, "images of a rank in one micro-batch")
    accumulation: int = option(1, "micro-batches of one optimiser step")
    epochs: int = option(50, "passes over the training images")
    schedule: str = option("cosine", "how the learning rate decays", ("poly", "cosine"))
    learning_rate: float = option(0.1, "highest learning rate; not scaled by the number of ranks")
    end_learning_rate: float = option(0.0, "learning rate the schedule ends at")
    power: float = option(0.9, "exponent of the poly schedule")
    warmup_steps: int = option(0, "steps of linear warm-up")
    momentum: float = option(0.9, "momentum of SGD")
    weight_decay: float = option(1e-4, "weight decay; not applied to BatchNorm and biases")
    loss_scale: str = option("off", "scale the loss against float16 underflow", ("off", "static", "dynamic"))
    loss_scale_value: float = option(1024.0, "the static scale, or the first one of the dynamic")
    loss_scale_window: int = option(1000, "steps without overflow after which the dynamic scale doubles")
    seed: int = option(1, "decides initial weights, order of the images, augmentation and synthetic images")

    # evaluation
    eval_every: int = option(1, "epochs between evaluations (0: only after the last)")
    evaluate: str = option("", "checkpoint to evaluate instead of training")

    # checkpoints
    checkpoint_dir: str = option("", "folder of checkpoints (empty: none are written)")
    checkpoint_every: int = option(500, "steps between checkpoints (0: only at the end)")
    keep_checkpoints: int = option(3, "how many of the newest checkpoints are kept")
    resume_from: str = option("", "checkpoint to continue from")
    stop_at_step: int = option(0, "write a checkpoint after this step and end (0: train to the last epoch)")

    # execution
    deterministic: bool = option(False, "ask the device for deterministic kernels")

    lowest: ClassVar[Mapping[str, float]] = {
        "image_size": 1,
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

    def __post_init__(self) -> None:
        at_least(self, self.lowest)
        if not self.end_learning_rate <= self.learning_rate < float("inf") or self.learning_rate == 0:
            raise RecipeError(
                f"--learning_rate={self.learning_rate}: expected a positive number not below "
                f"--end_learning_rate={self.end_learning_rate}"
            )
        if self.seed >= 2**32:
            raise RecipeError(f"--seed={self.seed}: expected a number below 2**32")
        must_exist(self.resume_from, "--resume_from", "a checkpoint of this script")
        must_exist(self.evaluate, "--evaluate", "a checkpoint of this script")
        if self.stop_at_step and not self.checkpoint_dir:
            raise RecipeError("--stop_at_step writes a checkpoint to go on from: add --checkpoint_dir=FOLDER")


@dataclass(frozen=True)
class MindSporeOptions(TrainingOptions):
    """And what MindSpore does with it, and how."""

    amp_level: str = option("O0", "O0: float32; O2: float16 but for BatchNorm; O3: float16", ("O0", "O2", "O3"))
    mode: str = option("graph", "graph, or pynative to debug", ("graph", "pynative"))
    all_reduce_splits: str = option(
        "", "last gradient of each part but the last that ranks add up in one go, as 60,120 (empty: one part)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        try:
            splits_ascend = self.splits == sorted(set(self.splits)) and min(self.splits, default=0) >= 0
        except ValueError:
            splits_ascend = False
        if not splits_ascend:
            raise RecipeError(f"--all_reduce_splits={self.all_reduce_splits}: expected rising integers as in 60,120")

    @property
    def splits(self) -> list[int]:
        return [int(index) for index in self.all_reduce_splits.split(",")] if self.all_reduce_splits else []


def at_least(options: object, lowest: Mapping[str, float]) -> None:
    """Raises RecipeError when a number of `options` is below the one it must at least be, or infinite."""
    for name, least in lowest.items():
        value = getattr(options, name)
        if not least <= value < float("inf"):
            raise RecipeError(f"--{name}={value}: expected a number of at least {least}")


def must_exist(path: str, flag: str, expected: str) -> None:
    """Raises RecipeError when a file is named and is not there."""
    if path and not Path(path).is_file():
        raise RecipeError(f"{flag}={path}: no such file; expected {expected}")


OptionsT = TypeVar("OptionsT")


def parse(kind: type[OptionsT], argv: Sequence[str], description: str | None) -> OptionsT:
    """The options of a command line, of which each field of the dataclass `kind` is one.

    Raises RecipeError for an unknown option and for a value that cannot be meant.
    """
    parser = _OneLineParser(description=description, allow_abbrev=False)
    types = get_type_hints(kind)
    for each in fields(kind):
        parser.add_argument(
            f"--{each.name}",
            type=_boolean if types[each.name] is bool else types[each.name],
            default=each.default,
            choices=each.metadata["choices"],
            help=f"{each.metadata['help']} (default: {each.default!r})".replace("%", "%%"),
            metavar=None if each.metadata["choices"] else "VALUE",
        )
    return kind(**vars(parser.parse_args(argv)))


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RecipeError(f"{message}; `python {self.prog} --help` lists the options")


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"expected true or false, got {text!r}") from None
