import numpy as np
from training.segmentation.shapes import CLASS_NAMES, EVALUATION_STREAM, TRAINING_STREAM, draw


def test_an_image_is_a_function_of_its_seed_stream_and_number():
    for first, second in zip(draw(1, TRAINING_STREAM, 7, 48), draw(1, TRAINING_STREAM, 7, 48), strict=True):
        assert np.array_equal(first, second)


def test_training_never_draws_an_image_of_the_evaluation():
    seen = {draw(1, TRAINING_STREAM, number, 32)[0].tobytes() for number in range(300)}
    unseen = {draw(1, EVALUATION_STREAM, number, 32)[0].tobytes() for number in range(300)}
    assert len(seen) == len(unseen) == 300
    assert not seen & unseen


def test_every_class_occurs_and_no_other():
    labels = np.stack([draw(1, TRAINING_STREAM, number, 64)[1] for number in range(50)])
    assert set(np.unique(labels)) == set(range(len(CLASS_NAMES)))


def test_image_and_labels_are_squares_of_the_size_asked_for():
    image, labels = draw(3, EVALUATION_STREAM, 0, 65)
    assert (image.shape, image.dtype) == ((65, 65, 3), np.uint8)
    assert (labels.shape, labels.dtype) == ((65, 65), np.uint8)
