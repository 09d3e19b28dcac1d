"""From an image to the square the network sees: a random part of it in training, its middle in evaluation."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from training.classification.augment import mirrored

# Parts of the area and ratios of width to height that a random part may have, as GoogLeNet was trained (Szegedy et al.,
# 2014); the middle is 224 pixels of 256, as is usual for ImageNet.
_AREAS = (0.08, 1.0)
_RATIOS = (3 / 4, 4 / 3)
_MIDDLE = 224 / 256
_ATTEMPTS = 10


def random_part(image: Image.Image, size: int, rng: np.random.Generator) -> np.ndarray:
    """A random part of the image, resized to a square of `size` and perhaps mirrored; uint8 (size, size, 3)."""
    box = random_box(*image.size, rng)
    square = np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box))
    return mirrored(square, rng)


def middle(image: Image.Image, size: int) -> np.ndarray:
    """The square in the middle that has 7/8 of the shorter side, resized to `size`; uint8 (size, size, 3)."""
    width, height = image.size
    side = min(width, height) * _MIDDLE
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box))


def random_box(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a random part of an image."""
    for _ in range(_ATTEMPTS):
        area = width * height * rng.uniform(*_AREAS)
        ratio = math.exp(rng.uniform(*np.log(_RATIOS)))
        wide, high = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < wide <= width and 0 < high <= height:
            left, top = int(rng.integers(width - wide + 1)), int(rng.integers(height - high + 1))
            return left, top, left + wide, top + high
    return 0, 0, width, height
