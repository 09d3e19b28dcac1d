"""From an image on disk to the square the network sees: random scale, crop and flip, or a fit for evaluation."""

from __future__ import annotations

import numpy as np
from PIL import Image

from training.images import MEAN
from training.segmentation.folders import IGNORED

_MEAN_COLOUR = tuple(int(value * 255) for value in MEAN)

_SCALES = (0.5, 2.0)


def random_crop(
    image: Image.Image, labels: Image.Image, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """A square of `size` cut at a random place from the randomly scaled, perhaps mirrored image.

    Where the square reaches over the edge, the image is padded with the mean colour and the labels are ignored.
    """
    scale = rng.uniform(*_SCALES)
    width, height = (max(round(side * scale), 1) for side in image.size)
    left, top = (_offset(side, size, rng) for side in (width, height))
    image, labels = _resized(image, labels, (width, height))
    square, classes = _square(image, labels, size, left, top)
    if rng.random() < 0.5:
        square, classes = square[:, ::-1], classes[:, ::-1]
    return square, classes


def fit(image: Image.Image, labels: Image.Image, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The whole image in a square of `size`: shrunk if it is larger, never enlarged, padded as in `random_crop`."""
    scale = min(size / max(image.size), 1.0)
    width, height = (max(round(side * scale), 1) for side in image.size)
    return _square(*_resized(image, labels, (width, height)), size, 0, 0)


def _offset(side: int, size: int, rng: np.random.Generator) -> int:
    slack = side - size
    return int(rng.integers(min(slack, 0), max(slack, 0) + 1))


def _resized(image: Image.Image, labels: Image.Image, size: tuple[int, int]) -> tuple[Image.Image, Image.Image]:
    if image.size == size:
        return image, labels
    return image.resize(size, Image.Resampling.BILINEAR), labels.resize(size, Image.Resampling.NEAREST)


def _square(image: Image.Image, labels: Image.Image, size: int, left: int, top: int) -> tuple[np.ndarray, np.ndarray]:
    square = Image.new("RGB", (size, size), _MEAN_COLOUR)
    square.paste(image, (-left, -top))
    classes = Image.new("L", (size, size), IGNORED)
    classes.paste(labels, (-left, -top))
    return np.asarray(square), np.asarray(classes)
