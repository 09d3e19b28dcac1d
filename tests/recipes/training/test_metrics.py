import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from training.segmentation.metrics import class_iou, confusion_matrix, iou_by_class, mean_iou, pixel_accuracy, summary

CLASSES = 4
maps = arrays(np.int32, (2, 5, 5), elements=st.sampled_from([0, 1, 2, 3, 255]))
predictions = arrays(np.int32, (2, 5, 5), elements=st.integers(0, CLASSES - 1))


@given(predictions)
def test_a_perfect_prediction_has_an_iou_of_one_in_every_class_that_occurs(labels):
    confusion = confusion_matrix(labels, labels, CLASSES)
    for number, iou in enumerate(class_iou(confusion)):
        assert iou == 1 if (labels == number).any() else np.isnan(iou)
    assert mean_iou(confusion) == 1
    assert pixel_accuracy(confusion) == 1


@given(maps, predictions)
def test_iou_agrees_with_sets_of_pixels(labels, predicted):
    iou = class_iou(confusion_matrix(labels, predicted, CLASSES))
    counted = labels != 255
    for number in range(CLASSES):
        truth, guess = (labels == number) & counted, (predicted == number) & counted
        union = (truth | guess).sum()
        assert iou[number] == pytest.approx((truth & guess).sum() / union) if union else np.isnan(iou[number])


@given(maps, predictions)
def test_matrices_of_parts_add_up_to_the_matrix_of_the_whole(labels, predicted):
    parts = [confusion_matrix(labels[i], predicted[i], CLASSES) for i in range(2)]
    assert np.array_equal(sum(parts), confusion_matrix(labels, predicted, CLASSES))


def test_an_absent_class_does_not_count_in_the_mean():
    confusion = np.diag([3, 5, 0])
    assert np.isnan(class_iou(confusion)[2])
    assert mean_iou(confusion) == 1


def test_nothing_labelled_gives_no_number():
    confusion = np.zeros((3, 3), np.int64)
    assert np.isnan(mean_iou(confusion))
    assert np.isnan(pixel_accuracy(confusion))


def test_each_class_has_a_line_and_all_together_two_figures():
    confusion = np.array([[6, 2, 0], [0, 2, 0], [0, 0, 0]])
    assert summary(confusion) == {"mIoU": 0.625, "pixel_accuracy": 0.8}
    assert iou_by_class(confusion, ["road", "car", "sky"]) == [
        "  IoU road 0.7500",
        "  IoU car  0.5000",
        "  IoU sky  absent",
    ]
