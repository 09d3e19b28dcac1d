"""Images of a folder, read and decoded by mindspore.dataset.

Its own random operations draw from one stream, in which a resumed run starts anew. Here all that is random is drawn in
Python, from the seed, the epoch and the number of the image, and the operations that carry it out are not random.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence

import mindspore.dataset as ds
import numpy as np
from mindspore.dataset import vision

from training.classification import folders
from training.classification.augment import mirrored
from training.classification.crops import random_box
from training.classification.data import FolderDataset
from training.errors import RecipeError
from training.images import DEVIATION, MEAN
from training.loader import Sample
from training.options import TrainingOptions
from training.sampling import Sampling

# The shorter side of an image that is evaluated, to the side of the square in its middle that the network sees.
_SHORTER_SIDE = 256 / 224

# What mindspore.dataset decodes, by Pillow's names; MPO is a JPEG file with further images behind the first.
_DECODED = ("JPEG", "MPO", "PNG", "BMP")

_READ_AHEAD = 64  # batches: more than mindspore.dataset has in its queues


class ImageFolder:
    """Batches of float32 images (batch, 3, size, size), standardised, with their int32 classes (batch,)."""

    def __init__(self, dataset: FolderDataset, sampling: Sampling, options: TrainingOptions):
        self.dataset, self.sampling, self.options = dataset, sampling, options
        self.workers = min(options.workers, os.cpu_count() or 1)  # mindspore.dataset refuses more

    def training(self, epoch: int, rank: int, first: int, until: int) -> Iterator[Sample]:
        """The micro-batches of `rank` in steps `first` to `until` (not included) of the epoch."""
        # Number i of the source is for rank i % ranks: in the order of `dealt` that makes the shares of `Sampling`.
        numbers = self.sampling.dealt(epoch, first, until)
        ranks = self.sampling.ranks
        images = self._decoded(self.dataset.train_files, numbers, num_shards=ranks, shard_id=rank)
        part = _RandomPart(self.options.seed, epoch, self.options.image_size)
        images = self._mapped(images, part, ["image", "number"], ["image"])
        return self._batches(images, [self.dataset.train_files[number] for number in numbers[rank::ranks]])

    def evaluation(self, batches: Sequence[Iterable[int]]) -> Iterator[Sample]:
        """The batches of these image numbers."""
        numbers = np.array([number for batch in batches for number in batch])
        images = self._decoded(self.dataset.eval_files, numbers)
        size = self.options.image_size
        images = self._mapped(images, [vision.Resize(round(size * _SHORTER_SIDE)), vision.CenterCrop(size)], "image")
        return self._batches(images, [self.dataset.eval_files[number] for number in numbers])

    def _decoded(self, files: Sequence[tuple[str, int]], numbers: np.ndarray, **division: int) -> ds.Dataset:
        source = ds.GeneratorDataset(
            _Encoded(files, numbers),
            ["image", "class", "number"],
            shuffle=False,
            num_parallel_workers=self.workers,
            python_multiprocessing=False,
            **division,
        )
        return self._mapped(source, vision.Decode(), "image")

    def _batches(self, images: ds.Dataset, files: Sequence[tuple[str, int]]) -> Iterator[Sample]:
        # Pixels go from 0 to 255, and so do the mean and the deviation they are standardised with.
        standardise = [vision.Normalize((MEAN * 255).tolist(), (DEVIATION * 255).tolist()), vision.HWC2CHW()]
        batches = self._mapped(images.project(["image", "class"]), standardise, "image").batch(self.options.batch_size)
        done = 0
        try:
            for batch, classes in batches.create_tuple_iterator(num_epochs=1, output_numpy=True):
                yield batch, classes
                done += len(classes)
        except RuntimeError as error:  # it does not say of which file
            for path, _ in files[done : done + _READ_AHEAD * self.options.batch_size]:
                folders.read(path)
                if (found := folders.format_of(path)) not in _DECODED:
                    raise RecipeError(
                        f"{path}: is a {found} file, and MindSpore decodes JPEG, PNG and BMP: convert or remove it"
                    ) from error
            raise

    def _mapped(self, images: ds.Dataset, *arguments: object) -> ds.Dataset:
        return images.map(*arguments, num_parallel_workers=self.workers)


class _Encoded:
    """The images of these numbers as they are on disk: bytes, class, number."""

    def __init__(self, files: Sequence[tuple[str, int]], numbers: np.ndarray):
        self.files, self.numbers = files, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        number = self.numbers[place]
        path, class_number = self.files[number]
        return np.fromfile(path, np.uint8), np.int32(class_number), np.int64(number)


class _RandomPart:
    """A random part of an image, resized to a square of `size` and perhaps mirrored."""

    def __init__(self, seed: int, epoch: int, size: int):
        self.seed, self.epoch, self.size = seed, epoch, size

    def __call__(self, image: np.ndarray, number: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng([self.seed, self.epoch, int(number)])
        height, width, _ = image.shape
        left, top, right, bottom = random_box(width, height, rng)
        square = vision.ResizedCrop(top, left, bottom - top, right - left, (self.size, self.size))(image)
        return np.ascontiguousarray(mirrored(square, rng))
