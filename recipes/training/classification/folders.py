"""Images on disk in the ImageFolder layout: a folder `train` and a folder `val`, in each a folder per class."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from training.errors import RecipeError

LAYOUT = "train/<class>/<image> and val/<class>/<image>"

_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")


@dataclass(frozen=True)
class Folder:
    """Paths and class numbers; classes are numbered in the order of their folders' names in `train`."""

    class_names: tuple[str, ...]
    train: list[tuple[str, int]]
    val: list[tuple[str, int]]


def open_folder(root: Path) -> Folder:
    """The images below a folder.

    Raises RecipeError if it has another layout, an empty class, or a class to evaluate that is not trained.
    """
    class_names = _classes(root / "train")
    unknown = sorted(set(_classes(root / "val")) - set(class_names))
    if unknown:
        raise RecipeError(f"{root / 'val' / unknown[0]}: a class that has no folder in {root / 'train'}")
    if len(class_names) < 2:
        raise RecipeError(f"{root / 'train'}: one class ({class_names[0]}), expected two at least")
    train, val = ([*_images(root / split, class_names)] for split in ("train", "val"))
    return Folder(class_names, train, val)


def read(path: str) -> Image.Image:
    """An image as RGB, whatever it is on disk."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise RecipeError(
            f"{path}: cannot be read as an image ({type(error).__name__}): remove or replace it"
        ) from error


def format_of(path: str) -> str | None:
    """What an image is on disk whatever it is called, by Pillow's name for it: JPEG, PNG, WEBP."""
    with Image.open(path) as image:
        return image.format


def _classes(split: Path) -> tuple[str, ...]:
    try:
        with os.scandir(split) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    except OSError as error:
        raise RecipeError(f"{split}: {error.strerror}; expected a folder laid out as {LAYOUT}") from error
    if not names:
        raise RecipeError(f"{split}: no folders in it; expected one per class, laid out as {LAYOUT}")
    return tuple(names)


def _images(split: Path, class_names: tuple[str, ...]) -> list[tuple[str, int]]:
    images: list[tuple[str, int]] = []
    for number, name in enumerate(class_names):
        folder = split / name
        if not folder.is_dir():  # a class that is trained and not evaluated
            continue
        with os.scandir(folder) as entries:
            found = sorted(entry.path for entry in entries if entry.name.lower().endswith(_SUFFIXES))
        if not found:
            raise RecipeError(f"{folder}: no images ({', '.join(_SUFFIXES)})")
        images += [(path, number) for path in found]
    return images
