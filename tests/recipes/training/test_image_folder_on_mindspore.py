"""Images of a folder as mindspore.dataset reads them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training.classification.data import open_dataset
from training.errors import RecipeError
from training.images import normalise
from training.options import TrainingOptions
from training.sampling import Sampling, evaluation_share

pytest.importorskip("mindspore")

from training.on_mindspore.image_folder import ImageFolder

pytestmark = pytest.mark.mindspore

CLASSES = 3
RANKS = 2


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """24 images to train on and 7 to evaluate, each of one colour of its own, of various sizes."""
    root = tmp_path_factory.mktemp("images of 'colours'")
    for split, images in (("train", 24), ("val", 7)):
        for number in range(images):
            folder = root / split / f"class {number % CLASSES}"
            folder.mkdir(parents=True, exist_ok=True)
            colour = (10 * number, 255 - 10 * number, 128)
            Image.new("RGB", (40 + number, 50), colour).save(folder / f"{number:02}.png")
    return root


@dataclass(frozen=True)
class Reader:
    folder: ImageFolder
    sampling: Sampling

    def train(self, rank: int, first: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
        return list(self.folder.training(2, rank, first, self.sampling.steps_per_epoch))


def reader(root: Path) -> Reader:
    options = TrainingOptions(dataset=str(root), image_size=32, batch_size=2, accumulation=2, workers=2, seed=3)
    dataset = open_dataset(options)
    sampling = Sampling(dataset.train_images, options.batch_size, RANKS, options.accumulation, options.seed)
    return Reader(ImageFolder(dataset, sampling, options), sampling)


def test_ranks_read_the_micro_batches_that_sampling_gives_them(root):
    reads = reader(root)
    for rank in range(RANKS):
        numbers = reads.sampling.micro_batches(2, rank)
        batches = reads.train(rank)
        files = reads.folder.dataset.train_files
        assert [list(classes) for _, classes in batches] == [[files[each][1] for each in batch] for batch in numbers]
        for (images, classes), batch in zip(batches, numbers, strict=True):
            assert (images.dtype, images.shape, classes.dtype) == (np.float32, (2, 3, 32, 32), np.int32)
            for image, number in zip(images, batch, strict=True):
                colour = np.asarray(Image.open(files[number][0]))[:1, :1]
                np.testing.assert_allclose(image, np.broadcast_to(normalise(colour), image.shape), atol=1e-4)


def test_a_run_resumed_within_an_epoch_reads_the_rest_of_it(textured):
    reads = reader(textured)
    whole, rest = reads.train(rank=1), reads.train(rank=1, first=1)
    for (expected, _), (image, _) in zip(whole[reads.folder.options.accumulation :], rest, strict=True):
        np.testing.assert_array_equal(image, expected)


def test_every_evaluation_image_is_read_once_and_from_its_middle(textured):
    reads = reader(textured)
    dataset = reads.folder.dataset
    for rank in range(RANKS):
        share = evaluation_share(dataset.eval_images, rank, RANKS)
        batches = [share[start : start + 2] for start in range(0, len(share), 2)]
        read = list(reads.folder.evaluation(batches))
        assert [len(classes) for _, classes in read] == [len(batch) for batch in batches]
        for (images, _), batch in zip(read, batches, strict=True):
            # Pillow smooths where it makes smaller and MindSpore does not: the same part, not the same pixels.
            other = np.stack([dataset.eval_sample(number)[0] for number in batch])
            assert np.abs(images.mean((2, 3)) - other.mean((2, 3))).max() < 0.2


@pytest.fixture(scope="module")
def textured(tmp_path_factory) -> Path:
    """Images on which each part looks different."""
    root = tmp_path_factory.mktemp("textured")
    rng = np.random.default_rng(1)
    for split in ("train", "val"):
        for number in range(16):
            folder = root / split / str(number % CLASSES)
            folder.mkdir(parents=True, exist_ok=True)
            coarse = Image.fromarray(rng.integers(256, size=(4, 6, 3), dtype=np.uint8))
            coarse.resize((72, 60), Image.Resampling.BILINEAR).save(folder / f"{number:02}.jpg", quality=95)
    return root


@pytest.fixture
def one_file(textured, tmp_path, monkeypatch) -> tuple[Reader, Path]:
    """What reads a folder, and one of its files, which rank 0 comes to in its last micro-batch."""
    monkeypatch.chdir(tmp_path)  # MindSpore leaves a copy of what it cannot decode in the working directory
    shutil.copytree(textured, tmp_path / "copy")
    reads = reader(tmp_path / "copy")
    number = reads.sampling.micro_batches(2, 0)[-1][0]
    return reads, Path(reads.folder.dataset.train_files[number][0])


def test_a_file_that_is_no_image_is_named(one_file):
    reads, broken = one_file
    broken.write_bytes(b"no image")
    with pytest.raises(RecipeError, match=f"{broken.name}: cannot be read as an image"):
        reads.train(rank=0)


@pytest.mark.parametrize("kind", ["GIF", "WEBP"])
def test_a_file_that_mindspore_does_not_decode_is_named_whatever_it_is_called(kind, one_file):
    reads, path = one_file
    Image.new("RGB", (40, 50)).save(path, format=kind)
    with pytest.raises(RecipeError, match=f"{path.name}: is a {kind} file, and MindSpore decodes JPEG, PNG and BMP"):
        reads.train(rank=0)
