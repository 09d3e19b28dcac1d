import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from training.classification import cifar10, stripes
from training.classification.crops import middle, random_part
from training.classification.data import open_dataset, spread
from training.classification.metrics import hits, summary
from training.errors import RecipeError
from training.options import TrainingOptions


def options(dataset, **more):
    return TrainingOptions(dataset=str(dataset), **{"image_size": 32, **more})


def record(number, red=0, green=0, blue=0):
    return bytes([number]) + b"".join(bytes([level]) * 1024 for level in (red, green, blue))


@pytest.fixture
def cifar(tmp_path):
    root = tmp_path / "CIFAR 'of' 10"
    root.mkdir()
    for number, name in enumerate(cifar10.TRAINING_FILES):
        (root / name).write_bytes(record(number, red=200) + record(number + 5, blue=100))
    (root / "test_batch.bin").write_bytes(record(3, green=255) * 3)
    return root


@pytest.fixture
def folder(tmp_path):
    for split, images in (("train", 4), ("val", 1)):
        for number, name in enumerate(("cats", "dogs & co", "eels")):
            path = tmp_path / split / name
            path.mkdir(parents=True)
            for index in range(images):
                Image.new("RGB", (60, 40), (0, 80 * number, 0)).save(path / f"{index}.{('jpg', 'PNG')[index % 2]}")
            (path / "notes.txt").write_text("no image")
    return tmp_path


def test_synthetic_images_differ_between_training_and_evaluation_and_repeat():
    data = open_dataset(options("synthetic", train_images=20, eval_images=10))
    image, number = data.train_sample(1, 3)
    assert (image.shape, image.dtype, number.dtype) == ((3, 32, 32), np.float32, np.int32)
    assert np.array_equal(image, data.train_sample(2, 3)[0])
    assert not np.array_equal(image, data.eval_sample(3)[0])
    assert {int(data.train_sample(1, index)[1]) for index in range(200)} == set(range(stripes.CLASSES))


def test_the_binary_files_of_cifar10_are_read_in_order_as_one(cifar):
    data = open_dataset(options(cifar))
    assert (data.train_images, data.eval_images, len(data.class_names)) == (10, 3, 10)
    records = cifar10.Records(cifar, cifar10.TRAINING_FILES)
    assert [records.read(index)[1] for index in range(10)] == [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]
    assert records.read(0)[0][5, 7].tolist() == [200, 0, 0]
    assert records.read(9)[0][31, 31].tolist() == [0, 0, 100]
    image, number = data.eval_sample(2)
    assert (image.shape, number) == ((3, 32, 32), 3)
    assert image[1].min() > image[0].max()


def test_training_images_of_cifar10_move_by_seed_epoch_and_number(cifar):
    data = open_dataset(options(cifar))
    first = data.train_sample(1, 0)[0]
    assert np.array_equal(first, data.train_sample(1, 0)[0])
    assert any(not np.array_equal(first, data.train_sample(epoch, 0)[0]) for epoch in range(2, 9))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda root: (root / "data_batch_3.bin").unlink(), "data_batch_3.bin: No such file or directory; expected"),
        (lambda root: (root / "test_batch.bin").write_bytes(record(1)[:-1]), "3072 bytes, expected records of 3073"),
        (lambda root: (root / "test_batch.bin").write_bytes(b""), "0 bytes, expected records of 3073"),
        (lambda root: (root / "test_batch.bin").write_bytes(record(10)), "record 0 has class 10, expected 0 to 9"),
    ],
)
def test_damaged_files_of_cifar10_are_told_in_one_line(cifar, damage, told):
    damage(cifar)
    with pytest.raises(RecipeError) as refusal:
        open_dataset(options(cifar)).eval_sample(0)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_images_of_cifar10_keep_their_size(cifar):
    with pytest.raises(RecipeError, match="--image_size=224: images of CIFAR-10 have 32 pixels"):
        open_dataset(options(cifar, image_size=224))


def test_classes_of_a_folder_are_numbered_by_the_names_of_theirs(folder):
    data = open_dataset(options(folder))
    assert data.class_names == ("cats", "dogs & co", "eels")
    assert (data.train_images, data.eval_images) == (12, 3)
    assert [int(data.train_sample(1, index)[1]) for index in range(12)] == [0] * 4 + [1] * 4 + [2] * 4
    assert [int(data.eval_sample(index)[1]) for index in range(3)] == [0, 1, 2]
    assert data.train_sample(1, 0)[0].shape == (3, 32, 32)


def test_a_part_of_a_folder_has_images_of_all_its_classes(folder):
    data = open_dataset(options(folder, train_images=3))
    assert [int(data.train_sample(1, index)[1]) for index in range(3)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda root: (root / "val").rename(root / "test"), "val: No such file or directory; expected a folder laid"),
        (lambda root: (root / "val" / "fish").mkdir(), "fish: a class that has no folder in"),
        (lambda root: [each.unlink() for each in (root / "train" / "eels").iterdir()], "eels: no images"),
        (lambda root: (root / "val" / "cats" / "0.jpg").write_bytes(b"GIF"), "0.jpg: cannot be read as an image"),
    ],
)
def test_a_folder_of_another_layout_is_told_in_one_line(folder, damage, told):
    damage(folder)
    with pytest.raises(RecipeError) as refusal:
        open_dataset(options(folder)).eval_sample(0)
    assert told in str(refusal.value)
    assert "\n" not in str(refusal.value)


@given(st.integers(1, 500), st.integers(1, 500))
def test_images_asked_for_are_spread_evenly_and_none_comes_twice(images, wanted):
    if wanted > images:
        with pytest.raises(RecipeError, match="lower --train_images"):
            spread(images, wanted)
        return
    numbers = np.asarray(spread(images, wanted))
    assert len(numbers) == wanted
    assert set(np.diff(numbers)) <= {images // wanted, -(-images // wanted)}
    assert all(0 <= number < images for number in numbers)


@given(st.integers(1, 80), st.integers(1, 80), st.integers(1, 40), st.integers(0, 99))
def test_a_part_of_an_image_has_the_size_asked_for_and_shows_nothing_else(width, height, size, seed):
    image = Image.new("RGB", (width, height), (10, 200, 30))
    for square in (random_part(image, size, np.random.default_rng(seed)), middle(image, size)):
        assert square.shape == (size, size, 3)
        assert (square == (10, 200, 30)).all()


def test_the_class_of_an_image_is_looked_for_among_the_most_likely():
    likely = np.array([[9, 8, 7], [9, 8, 7], [9, 8, 7], [9, 8, 7]])
    counts = hits(np.array([9, 7, 1, -1]), likely, classes=10)  # the last is no image
    assert counts.tolist() == [1, 2, 3]
    assert summary(counts * 2) == {"top1": 1 / 3, "top5": 2 / 3, "images": 6}
