"""Images as networks trained on ImageNet expect them."""

from __future__ import annotations

import numpy as np

# Of ImageNet's RGB, in 0..1.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def normalise(image: np.ndarray) -> np.ndarray:
    """uint8 (height, width, 3) to float32 (3, height, width), standardised."""
    return np.ascontiguousarray(((image / np.float32(255) - MEAN) / DEVIATION).transpose(2, 0, 1))
