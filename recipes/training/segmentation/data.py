"""The data set of a run: images by number, for training and for evaluation, synthetic or from a folder."""

from __future__ import annotations

import numpy as np

from training.dataset import SYNTHETIC_EVALUATION_IMAGES, SYNTHETIC_TRAINING_IMAGES, Dataset
from training.errors import RecipeError
from training.images import normalise
from training.loader import Sample
from training.segmentation import shapes
from training.segmentation.augment import fit, random_crop
from training.segmentation.folders import open_folder
from training.segmentation.options import SegmentationOptions


def open_dataset(options: SegmentationOptions) -> Dataset:
    """The data set that `--dataset` names.

    A sample is a float32 image (3, size, size) and its int32 classes (size, size), 255 = ignored.
    Raises RecipeError if the folder cannot be used.
    """
    return _synthetic(options) if options.dataset == "synthetic" else _on_disk(options)


def _synthetic(options: SegmentationOptions) -> Dataset:
    if options.num_classes not in (0, len(shapes.CLASS_NAMES)):
        raise RecipeError(
            f"--num_classes={options.num_classes}: synthetic images have {len(shapes.CLASS_NAMES)}, leave it out"
        )

    def train_sample(_epoch: int, index: int) -> Sample:
        return _sample(*shapes.draw(options.seed, shapes.TRAINING_STREAM, index, options.image_size))

    def eval_sample(index: int) -> Sample:
        return _sample(*shapes.draw(options.seed, shapes.EVALUATION_STREAM, index, options.image_size))

    return Dataset(
        shapes.CLASS_NAMES,
        options.train_images or SYNTHETIC_TRAINING_IMAGES,
        options.eval_images or SYNTHETIC_EVALUATION_IMAGES,
        train_sample,
        eval_sample,
    )


def _on_disk(options: SegmentationOptions) -> Dataset:
    folder = open_folder(options.dataset, options.num_classes)
    train = folder.train[: options.train_images or None]
    val = folder.val[: options.eval_images or None]

    def train_sample(epoch: int, index: int) -> Sample:
        rng = np.random.default_rng([options.seed, epoch, index])
        return _sample(*random_crop(*folder.read(train[index]), options.image_size, rng))

    def eval_sample(index: int) -> Sample:
        return _sample(*fit(*folder.read(val[index]), options.image_size))

    return Dataset(folder.class_names, len(train), len(val), train_sample, eval_sample)


def _sample(image: np.ndarray, classes: np.ndarray) -> Sample:
    return normalise(image), classes.astype(np.int32)
