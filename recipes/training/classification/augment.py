"""Small random changes of an image that keep its class."""

from __future__ import annotations

import numpy as np

_MARGIN = 4  # pixels


def mirrored(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image or, as often, its mirror image."""
    return image[:, ::-1] if rng.random() < 0.5 else image


def shifted(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The image moved by up to 4 pixels each way, with black where nothing is."""
    height, width, _ = image.shape
    top, left = rng.integers(2 * _MARGIN + 1, size=2)
    padded = np.pad(image, ((_MARGIN, _MARGIN), (_MARGIN, _MARGIN), (0, 0)))
    return padded[top : top + height, left : left + width]
