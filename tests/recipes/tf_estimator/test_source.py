"""Where images come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from cifar_cnn.options import Options
from cifar_cnn.source import RECORD_BYTES, open_source
from training.errors import RecipeError

TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]


@pytest.fixture
def cifar(tmp_path: Path) -> Path:
    """CIFAR-10's binary version with two images in each file, under a name that has to be quoted."""
    folder = tmp_path / "it's cifar"
    folder.mkdir()
    for name in (*TRAIN, "test_batch.bin"):
        (folder / name).write_bytes(bytes(2 * RECORD_BYTES))
    return folder


def test_a_folder_has_as_many_images_as_its_files(cifar: Path) -> None:
    source = open_source(Options(dataset=str(cifar)))
    assert source.train.files == tuple(str(cifar / name) for name in TRAIN)
    assert (source.train.images, source.evaluation.images) == (10, 2)
    assert open_source(Options(dataset=str(cifar), train_images=7)).train.images == 7


def test_images_that_are_made_for_evaluation_are_others_than_those_for_training() -> None:
    source = open_source(Options(train_images=100, eval_images=20))
    assert (source.train.first, source.evaluation.first) == (0, source.train.images)


def test_what_is_no_cifar_folder_is_told_in_one_line(cifar: Path) -> None:
    (cifar / TRAIN[2]).write_bytes(b"0" * (RECORD_BYTES - 1))
    with pytest.raises(RecipeError, match="3072 bytes; expected records of 3073, the binary version of CIFAR-10"):
        open_source(Options(dataset=str(cifar)))
    (cifar / TRAIN[1]).unlink()
    with pytest.raises(RecipeError, match=r"data_batch_2\.bin: no such file"):
        open_source(Options(dataset=str(cifar)))
    with pytest.raises(RecipeError, match="no such folder; expected 'synthetic' or that of data_batch_1"):
        open_source(Options(dataset=str(cifar / "none")))
