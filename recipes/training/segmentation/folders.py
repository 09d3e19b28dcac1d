"""Images on disk in the VOC and Cityscapes layouts: finding the pairs, reading one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.errors import RecipeError

IGNORED = 255

_LAYOUTS = (
    "VOC (JPEGImages/, SegmentationClass/, ImageSets/Segmentation/train.txt) or "
    "Cityscapes (leftImg8bit/train/<city>/*_leftImg8bit.png, gtFine/train/<city>/*_gtFine_labelIds.png)"
)

_VOC_CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)

# The 19 evaluated classes of Cityscapes with the number each has in a labelIds image; the other numbers are ignored.
_CITYSCAPES_IDS = {
    "road": 7,
    "sidewalk": 8,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "pole": 17,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
}


@dataclass(frozen=True)
class Pair:
    image: Path
    labels: Path


@dataclass(frozen=True)
class Folder:
    """Training and validation pairs of a data folder, in file-name order."""

    class_names: tuple[str, ...]
    train: tuple[Pair, ...]
    val: tuple[Pair, ...]
    class_of_value: np.ndarray  # (256,) uint8: the class that a pixel value of a label image stands for

    def read(self, pair: Pair) -> tuple[Image.Image, Image.Image]:
        """The RGB image and its classes (mode L, 255 = ignored).

        Raises RecipeError if the two differ in size or a pixel holds no class.
        """
        try:
            image, labels = Image.open(pair.image).convert("RGB"), Image.open(pair.labels)
            values = np.asarray(labels)
        except OSError as error:
            raise RecipeError(f"{pair.image}: cannot be read with its labels {pair.labels}: {error}") from error
        if values.ndim != 2 or values.dtype != np.uint8:
            raise RecipeError(f"{pair.labels}: expected one 8-bit channel (palette or grey), got mode {labels.mode}")
        if image.size != labels.size:
            raise RecipeError(f"{pair.labels}: {labels.size} pixels, but its image has {image.size}")
        classes = self.class_of_value[values]
        wrong = (classes >= len(self.class_names)) & (classes != IGNORED)
        if wrong.any():
            raise RecipeError(
                f"{pair.labels}: holds class {classes[wrong][0]}, expected 0 to {len(self.class_names) - 1} "
                f"or {IGNORED} (ignored): set --num_classes"
            )
        return image, Image.fromarray(classes)


def open_folder(root: str, num_classes: int = 0) -> Folder:
    """The data set in `root`, its layout told by its subfolders; `num_classes` overrides the layout's own.

    Raises RecipeError if the folder is missing, of another layout, or lacks a file.
    """
    folder = Path(root)
    if not folder.is_dir():
        raise RecipeError(f"--dataset={root}: no such folder; expected 'synthetic' or a folder laid out as {_LAYOUTS}")
    if (folder / "ImageSets/Segmentation").is_dir():
        train, val = _voc_pairs(folder, "train"), _voc_pairs(folder, "val")
        names, class_of_value = _VOC_CLASSES, np.arange(256, dtype=np.uint8)
    elif (folder / "leftImg8bit").is_dir():
        train, val = _cityscapes_pairs(folder, "train"), _cityscapes_pairs(folder, "val")
        names, class_of_value = tuple(_CITYSCAPES_IDS), np.full(256, IGNORED, np.uint8)
        class_of_value[list(_CITYSCAPES_IDS.values())] = np.arange(len(names))
    else:
        raise RecipeError(f"--dataset={root}: expected a folder laid out as {_LAYOUTS}")
    if num_classes and num_classes != len(names):
        names = tuple(f"class {number}" for number in range(num_classes))
    return Folder(names, train, val, class_of_value)


def _voc_pairs(folder: Path, split: str) -> tuple[Pair, ...]:
    listing = folder / "ImageSets/Segmentation" / f"{split}.txt"
    if not listing.is_file():
        raise RecipeError(f"{listing}: no such file; expected one image name per line, without extension")
    names = listing.read_text(encoding="utf-8").split()
    return _existing(
        listing, [Pair(folder / f"JPEGImages/{name}.jpg", folder / f"SegmentationClass/{name}.png") for name in names]
    )


def _cityscapes_pairs(folder: Path, split: str) -> tuple[Pair, ...]:
    images = folder / "leftImg8bit" / split
    pairs = []
    for image in sorted(images.glob("*/*_leftImg8bit.png")):
        stem = image.name.removesuffix("_leftImg8bit.png")
        pairs.append(Pair(image, folder / "gtFine" / split / image.parent.name / f"{stem}_gtFine_labelIds.png"))
    return _existing(images, pairs)


def _existing(source: Path, pairs: list[Pair]) -> tuple[Pair, ...]:
    if not pairs:
        raise RecipeError(f"{source}: no images found; expected a folder laid out as {_LAYOUTS}")
    for pair in pairs:
        for path in (pair.image, pair.labels):
            if not path.is_file():
                raise RecipeError(f"{path}: no such file, though {source} calls for it: complete the data folder")
    return tuple(pairs)
