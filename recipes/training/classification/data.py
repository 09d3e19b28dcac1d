"""The data set of a run: images of one class each, synthetic, CIFAR-10, or from a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.classification import cifar10, stripes
from training.classification.augment import mirrored, shifted
from training.dataset import SYNTHETIC_EVALUATION_IMAGES, SYNTHETIC_TRAINING_IMAGES, Dataset
from training.errors import RecipeError
from training.images import normalise
from training.loader import Sample
from training.options import TrainingOptions


@dataclass(frozen=True)
class FolderDataset(Dataset):
    """Images on disk, which a framework may also read by itself: path and class of each, by number."""

    train_files: Sequence[tuple[str, int]]
    eval_files: Sequence[tuple[str, int]]


def open_dataset(options: TrainingOptions) -> Dataset:
    """The data set that `--dataset` names. A sample is a float32 image (3, size, size) and its class, an int32.

    Raises RecipeError if the folder cannot be used, or not at this image size.
    """
    if options.dataset == "synthetic":
        return _synthetic(options)
    root = Path(options.dataset)
    if not root.is_dir():
        raise RecipeError(
            f"--dataset={options.dataset}: no such folder; expected 'synthetic', a folder with the binary files of "
            "CIFAR-10, or one laid out as train/<class>/<image> and val/<class>/<image>"
        )
    return _cifar10(root, options) if cifar10.is_cifar10(root) else _folder(root, options)


def spread(images: int, wanted: int) -> range | np.ndarray:
    """The numbers of `wanted` images (0: all), evenly spread: in a folder they are sorted by class."""
    if wanted in (0, images):
        return range(images)
    if wanted > images:
        raise RecipeError(f"{wanted} images are asked for, and there are {images}: lower --train_images, --eval_images")
    return np.arange(wanted) * images // wanted


def _synthetic(options: TrainingOptions) -> Dataset:
    def train_sample(_epoch: int, index: int) -> Sample:
        return _sample(*stripes.draw(options.seed, stripes.TRAINING_STREAM, index, options.image_size))

    def eval_sample(index: int) -> Sample:
        return _sample(*stripes.draw(options.seed, stripes.EVALUATION_STREAM, index, options.image_size))

    return Dataset(
        stripes.CLASS_NAMES,
        options.train_images or SYNTHETIC_TRAINING_IMAGES,
        options.eval_images or SYNTHETIC_EVALUATION_IMAGES,
        train_sample,
        eval_sample,
    )


def _cifar10(root: Path, options: TrainingOptions) -> Dataset:
    if options.image_size != cifar10.SIZE:
        raise RecipeError(f"--image_size={options.image_size}: images of CIFAR-10 have {cifar10.SIZE} pixels a side")
    train = cifar10.Records(root, cifar10.TRAINING_FILES)
    test = cifar10.Records(root, cifar10.EVALUATION_FILES)
    train_numbers = spread(len(train), options.train_images)
    eval_numbers = spread(len(test), options.eval_images)

    def train_sample(epoch: int, index: int) -> Sample:
        image, number = train.read(train_numbers[index])
        rng = np.random.default_rng([options.seed, epoch, index])
        return _sample(mirrored(shifted(image, rng), rng), number)

    def eval_sample(index: int) -> Sample:
        return _sample(*test.read(eval_numbers[index]))

    return Dataset(cifar10.CLASS_NAMES, len(train_numbers), len(eval_numbers), train_sample, eval_sample)


def _folder(root: Path, options: TrainingOptions) -> FolderDataset:
    try:
        from training.classification import crops, folders
    except ImportError as error:
        raise RecipeError(f"--dataset={options.dataset}: reading images needs Pillow: pip install pillow") from error
    folder = folders.open_folder(root)
    train_files = [folder.train[number] for number in spread(len(folder.train), options.train_images)]
    eval_files = [folder.val[number] for number in spread(len(folder.val), options.eval_images)]

    def train_sample(epoch: int, index: int) -> Sample:
        path, number = train_files[index]
        rng = np.random.default_rng([options.seed, epoch, index])
        return _sample(crops.random_part(folders.read(path), options.image_size, rng), number)

    def eval_sample(index: int) -> Sample:
        path, number = eval_files[index]
        return _sample(crops.middle(folders.read(path), options.image_size), number)

    return FolderDataset(
        folder.class_names, len(train_files), len(eval_files), train_sample, eval_sample, train_files, eval_files
    )


def _sample(image: np.ndarray, number: int) -> Sample:
    return normalise(image), np.int32(number)
