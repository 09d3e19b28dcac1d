"""A data set as training and evaluation ask for it: images by number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from training.loader import Sample

SYNTHETIC_TRAINING_IMAGES = 4096
SYNTHETIC_EVALUATION_IMAGES = 256


@dataclass(frozen=True)
class Dataset:
    """Every image is a pure function of its number (and the epoch, where it is augmented)."""

    class_names: tuple[str, ...]
    train_images: int
    eval_images: int
    train_sample: Callable[[int, int], Sample]  # (epoch, image number)
    eval_sample: Callable[[int], Sample]
