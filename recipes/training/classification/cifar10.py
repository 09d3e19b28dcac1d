"""CIFAR-10 in its binary form: records of one byte class and three 32 x 32 planes, red, green and blue."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training.errors import RecipeError

CLASS_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SIZE = 32
TRAINING_FILES = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
EVALUATION_FILES = ("test_batch.bin",)

_RECORD = 1 + 3 * SIZE * SIZE


def is_cifar10(folder: Path) -> bool:
    return (folder / TRAINING_FILES[0]).is_file()


class Records:
    """The images of some files by number. The files are mapped, so that ranks of a host share what they read."""

    def __init__(self, folder: Path, names: tuple[str, ...]):
        self.paths = [folder / name for name in names]
        self.files = [_mapped(path) for path in self.paths]
        self.ends = np.cumsum([len(each) for each in self.files])

    def __len__(self) -> int:
        return int(self.ends[-1])

    def read(self, index: int) -> tuple[np.ndarray, int]:
        """Image number `index`, uint8 of shape (32, 32, 3), and its class."""
        place = int(np.searchsorted(self.ends, index, side="right"))
        number = index - int(self.ends[place]) + len(self.files[place])
        record = self.files[place][number]
        if record[0] >= len(CLASS_NAMES):
            raise RecipeError(
                f"{self.paths[place]}: record {number} has class {record[0]}, expected 0 to {len(CLASS_NAMES) - 1}"
            )
        return record[1:].reshape(3, SIZE, SIZE).transpose(1, 2, 0), int(record[0])


def _mapped(path: Path) -> np.ndarray:
    try:
        size = path.stat().st_size
        if size and size % _RECORD == 0:
            return np.memmap(path, np.uint8, "r").reshape(-1, _RECORD)
    except OSError as error:
        raise RecipeError(
            f"{path}: {error.strerror}; expected the files of CIFAR-10's binary version: "
            f"{', '.join((*TRAINING_FILES, *EVALUATION_FILES))}"
        ) from error
    raise RecipeError(f"{path}: {size} bytes, expected records of {_RECORD} bytes: not of CIFAR-10, or cut short")
