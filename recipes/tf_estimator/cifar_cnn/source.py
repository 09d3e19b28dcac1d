"""Where images come from: CIFAR-10's binary version, or nowhere; looked at before TensorFlow is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from training.errors import RecipeError

from cifar_cnn.options import Options

CLASSES = 10
SIDE = 32  # pixels
RECORD_BYTES = 1 + 3 * SIDE * SIDE  # the class, then red, green and blue (cs.toronto.edu/~kriz/cifar.html)

_TRAIN_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_EVAL_FILES = ("test_batch.bin",)


@dataclass(frozen=True)
class Part:
    """Images for one purpose. Without files they are made: number i is a function of the seed and of `first` + i."""

    files: tuple[str, ...]
    images: int
    first: int


@dataclass(frozen=True)
class Source:
    train: Part
    evaluation: Part


def open_source(options: Options) -> Source:
    """The images that the options ask for. Raises RecipeError when a file is missing or no CIFAR-10 file."""
    if options.dataset == "synthetic":
        return Source(Part((), options.train_images, 0), Part((), options.eval_images, options.train_images))
    folder = Path(options.dataset)
    if not folder.is_dir():
        raise RecipeError(f"--dataset={folder}: no such folder; expected 'synthetic' or that of {_TRAIN_FILES[0]}")
    return Source(_part(folder, _TRAIN_FILES, options.train_images), _part(folder, _EVAL_FILES, options.eval_images))


def _part(folder: Path, names: tuple[str, ...], wanted: int) -> Part:
    there = 0
    for name in names:
        path = folder / name
        if not path.is_file():
            raise RecipeError(f"{path}: no such file; expected the binary version of CIFAR-10")
        size = path.stat().st_size
        if size == 0 or size % RECORD_BYTES:
            raise RecipeError(
                f"{path}: {size} bytes; expected records of {RECORD_BYTES}, the binary version of CIFAR-10"
            )
        there += size // RECORD_BYTES
    return Part(tuple(str(folder / name) for name in names), min(wanted, there), 0)
