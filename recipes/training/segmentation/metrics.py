"""IoU and pixel accuracy from a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Pixels by true class (row) and predicted class (column), int64 (classes, classes).

    Pixels whose label is no class are ignored.
    """
    counted = (labels >= 0) & (labels < num_classes)
    cells = labels[counted].astype(np.int64) * num_classes + predictions[counted]
    return np.bincount(cells, minlength=num_classes**2).reshape(num_classes, num_classes)


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Intersection over union of each class; NaN for a class that neither labels nor predictions hold."""
    intersection = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - intersection
    return np.divide(intersection, union, out=np.full(len(confusion), np.nan), where=union > 0)


def mean_iou(confusion: np.ndarray) -> float:
    """Mean over the classes that occur; NaN if none does."""
    iou = class_iou(confusion)
    occurring = iou[~np.isnan(iou)]
    return float(occurring.mean()) if occurring.size else float("nan")


def pixel_accuracy(confusion: np.ndarray) -> float:
    """Share of the labelled pixels that are right; NaN if none is labelled."""
    total = confusion.sum()
    return float(np.trace(confusion) / total) if total else float("nan")


def summary(confusion: np.ndarray) -> dict[str, float]:
    """The figures of all classes together, by name."""
    return {"mIoU": mean_iou(confusion), "pixel_accuracy": pixel_accuracy(confusion)}


def iou_by_class(confusion: np.ndarray, names: Sequence[str]) -> list[str]:
    """A line for each class."""
    width = max(len(name) for name in names)
    return [
        f"  IoU {name:<{width}} {'absent' if np.isnan(iou) else f'{iou:.4f}'}"
        for name, iou in zip(names, class_iou(confusion), strict=True)
    ]
