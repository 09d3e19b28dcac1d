"""Synthetic images for segmentation: coloured shapes on a noisy background, each drawn from its own seed."""

from __future__ import annotations

import colorsys

import numpy as np

CLASS_NAMES = ("background", "disc", "square", "triangle", "cross")

# First word of an image's seed: what evaluation draws, training never does.
TRAINING_STREAM = 0
EVALUATION_STREAM = 1

# A shape's hue is that of its class, give or take this much of the colour circle. The ranges of neighbouring classes do
# not meet, so colour tells them apart and a small network learns them within a minute.
_HUE_JITTER = 0.09


def draw(seed: int, stream: int, index: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Image number `index` of a stream: uint8 of shape (size, size, 3), and its classes, uint8 of (size, size)."""
    rng = np.random.default_rng([seed, stream, index])
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) / size
    tilt = rng.uniform(-0.3, 0.3, 2)
    grey = rng.uniform(0.3, 0.7) + tilt[0] * (x - 0.5) + tilt[1] * (y - 0.5)
    image = np.repeat(grey[..., None], 3, axis=2)
    labels = np.zeros((size, size), np.uint8)
    for _ in range(rng.integers(2, 5)):
        shape_class = int(rng.integers(1, len(CLASS_NAMES)))
        inside = _outline(CLASS_NAMES[shape_class], x, y, rng)
        image[inside] = _colour(shape_class, rng)
        labels[inside] = shape_class
    image += rng.normal(0, 0.05, image.shape)
    return (np.clip(image, 0, 1) * 255).astype(np.uint8), labels


def _outline(name: str, x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    centre, radius, angle = rng.uniform(0.15, 0.85, 2), rng.uniform(0.14, 0.28), rng.uniform(0, 2 * np.pi)
    u = ((x - centre[0]) * np.cos(angle) + (y - centre[1]) * np.sin(angle)) / radius
    v = ((y - centre[1]) * np.cos(angle) - (x - centre[0]) * np.sin(angle)) / radius
    if name == "disc":
        return u**2 + v**2 < 1
    if name == "square":
        return np.maximum(abs(u), abs(v)) < 0.9
    if name == "triangle":
        return (v > -0.7) & (v < 1 - 1.7 * abs(u))
    return np.minimum(abs(u), abs(v)) + 0.3 * np.maximum(abs(u), abs(v)) < 0.6


def _colour(shape_class: int, rng: np.random.Generator) -> tuple[float, float, float]:
    hue = (shape_class - 1) / (len(CLASS_NAMES) - 1) + rng.uniform(-_HUE_JITTER, _HUE_JITTER)
    return colorsys.hsv_to_rgb(hue % 1.0, rng.uniform(0.5, 1.0), rng.uniform(0.5, 1.0))
