"""Synthetic images for classification: stripes, whose direction and colour tell the class."""

from __future__ import annotations

import colorsys

import numpy as np

CLASSES = 10
CLASS_NAMES = tuple(f"stripes at {180 * number // CLASSES} degrees" for number in range(CLASSES))

# First word of an image's seed: what evaluation draws, training never does.
TRAINING_STREAM = 0
EVALUATION_STREAM = 1

_NOISE = 0.1
_HUE_JITTER = 0.04  # of the colour circle; neighbouring classes are 0.1 apart


def draw(seed: int, stream: int, index: int, size: int) -> tuple[np.ndarray, int]:
    """Image number `index` of a stream, uint8 of shape (size, size, 3), and its class."""
    rng = np.random.default_rng([seed, stream, index])
    number = int(rng.integers(CLASSES))
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    angle = np.pi * number / CLASSES
    phase = 2 * np.pi * (rng.uniform(2, 4) * (np.cos(angle) * x + np.sin(angle) * y) + rng.uniform())
    hue = (number / CLASSES + rng.uniform(-_HUE_JITTER, _HUE_JITTER)) % 1.0
    colour = np.array(colorsys.hsv_to_rgb(hue, rng.uniform(0.3, 0.9), 1.0), np.float32)
    image = (0.5 + 0.4 * np.sin(phase))[..., None] * colour
    image += rng.normal(0, _NOISE, image.shape)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), number
