import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from training.errors import RecipeError
from training.segmentation.augment import fit, random_crop
from training.segmentation.data import open_dataset
from training.segmentation.folders import IGNORED, open_folder
from training.segmentation.options import SegmentationOptions


def image_of(path, size):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (200, 10, 60)).save(path)


def labels_of(path, size, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.resize(np.array(values, np.uint8), (size[1], size[0]))
    labels = Image.fromarray(pixels, mode="P")
    labels.putpalette(list(range(256)) * 3)
    labels.save(path)


@pytest.fixture
def voc(tmp_path):
    root = tmp_path / "VOC 'of' 2012"
    for split, names in {"train": ["a", "b", "c"], "val": ["d"]}.items():
        listing = root / f"ImageSets/Segmentation/{split}.txt"
        listing.parent.mkdir(parents=True, exist_ok=True)
        listing.write_text("\n".join(names) + "\n")
        for name in names:
            image_of(root / f"JPEGImages/{name}.jpg", (50, 37))
            labels_of(root / f"SegmentationClass/{name}.png", (50, 37), [0, 15, 20, IGNORED])
    return root


@pytest.fixture
def cityscapes(tmp_path):
    for split, cities in {"train": ["aachen", "bochum"], "val": ["lindau"]}.items():
        for city in cities:
            stem = f"{city}_000000_000019"
            image_of(tmp_path / f"leftImg8bit/{split}/{city}/{stem}_leftImg8bit.png", (64, 32))
            labels_of(tmp_path / f"gtFine/{split}/{city}/{stem}_gtFine_labelIds.png", (64, 32), [7, 33, 0, 26])
    return tmp_path


def test_a_voc_folder_is_read_by_its_lists(voc):
    folder = open_folder(str(voc))
    assert [pair.image.stem for pair in folder.train] == ["a", "b", "c"]
    assert [pair.image.stem for pair in folder.val] == ["d"]
    assert len(folder.class_names) == 21
    _, labels = folder.read(folder.train[0])
    assert set(np.unique(labels)) == {0, 15, 20, IGNORED}


def test_cityscapes_ids_become_the_19_classes_and_the_rest_is_ignored(cityscapes):
    folder = open_folder(str(cityscapes))
    assert (len(folder.train), len(folder.val), len(folder.class_names)) == (2, 1, 19)
    _, labels = folder.read(folder.train[0])
    assert np.asarray(labels)[0, :4].tolist() == [0, 18, IGNORED, 13]


def test_an_image_from_a_folder_is_augmented_by_seed_epoch_and_number(voc):
    dataset = open_dataset(SegmentationOptions(dataset=str(voc), image_size=33))
    image, labels = dataset.train_sample(1, 0)
    assert (image.shape, image.dtype) == ((3, 33, 33), np.float32)
    assert (labels.shape, labels.dtype) == ((33, 33), np.int32)
    assert np.array_equal(image, dataset.train_sample(1, 0)[0])
    assert any(not np.array_equal(labels, dataset.train_sample(epoch, 0)[1]) for epoch in range(2, 6))


def test_a_folder_of_another_layout_is_told_what_is_expected(tmp_path):
    with pytest.raises(RecipeError, match=r"expected a folder laid out as VOC \(JPEGImages/.* or Cityscapes"):
        open_folder(str(tmp_path))


def test_a_listed_image_that_is_missing_is_named(voc):
    (voc / "SegmentationClass/b.png").unlink()
    with pytest.raises(RecipeError, match=r"SegmentationClass/b.png: no such file"):
        open_folder(str(voc))


def test_an_empty_list_is_refused(voc):
    (voc / "ImageSets/Segmentation/val.txt").write_text("")
    with pytest.raises(RecipeError, match=r"val.txt: no images found"):
        open_folder(str(voc))


def test_a_pixel_of_no_class_is_refused(voc):
    folder = open_folder(str(voc), num_classes=16)
    with pytest.raises(RecipeError, match=r"a.png: holds class 20, expected 0 to 15 or 255"):
        folder.read(folder.train[0])


def test_labels_of_another_size_than_their_image_are_refused(voc):
    labels_of(voc / "SegmentationClass/a.png", (49, 37), [0])
    folder = open_folder(str(voc))
    with pytest.raises(RecipeError, match=r"a.png: \(49, 37\) pixels, but its image has \(50, 37\)"):
        folder.read(folder.train[0])


def test_colour_images_in_place_of_labels_are_refused(voc):
    image_of(voc / "SegmentationClass/a.png", (50, 37))
    folder = open_folder(str(voc))
    with pytest.raises(RecipeError, match=r"expected one 8-bit channel \(palette or grey\), got mode RGB"):
        folder.read(folder.train[0])


sides = st.integers(1, 90)


@given(sides, sides, st.integers(32, 80), st.integers(0, 99))
def test_a_crop_has_the_size_asked_for_and_keeps_image_and_labels_together(width, height, size, seed):
    value = 7
    image, labels = Image.new("RGB", (width, height), (250, 250, 250)), Image.new("L", (width, height), value)
    square, classes = random_crop(image, labels, size, np.random.default_rng(seed))
    assert square.shape == (size, size, 3)
    assert np.array_equal(classes == value, (square == 250).all(axis=2))
    assert set(np.unique(classes)) <= {value, IGNORED}


@given(sides, sides, st.integers(32, 80))
def test_evaluation_sees_the_whole_image_and_never_enlarges_it(width, height, size):
    image, labels = Image.new("RGB", (width, height)), Image.new("L", (width, height), 7)
    _, classes = fit(image, labels, size)
    seen = int((classes == 7).sum())
    if max(width, height) <= size:
        assert seen == width * height
    else:
        assert classes.shape == (size, size)
        assert seen >= size
