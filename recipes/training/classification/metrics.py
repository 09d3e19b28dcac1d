"""Top-1 and top-5 from counts."""

from __future__ import annotations

import numpy as np

MOST_LIKELY = 5


def hits(labels: np.ndarray, likely: np.ndarray, classes: int) -> np.ndarray:
    """How many images have their class in the first place of `likely`, in one of its places, and how many there are.

    `likely` (images, places) holds the most likely classes of each image, the likeliest first. An image whose label is
    no class is not counted.
    """
    counted = (labels >= 0) & (labels < classes)
    found = likely[counted] == labels[counted, None]
    return np.array([found[:, 0].sum(), found.sum(), counted.sum()], np.int64)


def summary(counts: np.ndarray) -> dict[str, float]:
    """The figures of an evaluation, by name: shares from 0 to 1, and of how many images."""
    top1, top5, images = (int(count) for count in counts)
    return {"top1": top1 / images, "top5": top5 / images, "images": images}
