"""ResNet, its loss and their gradients in NumPy's float64: what the network is held against.

Written from the papers, with nothing of the recipe but the names of its parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

EPSILON = 1e-5


class Value:
    """An array, what it was made of, and how a gradient of it becomes gradients of that."""

    def __init__(self, data: np.ndarray, parents: tuple[Value, ...] = (), pull: Callable | None = None):
        self.data, self.parents, self.pull = np.asarray(data, np.float64), parents, pull
        self.gradient = np.zeros_like(self.data)

    def backward(self) -> None:
        """Add to each value that this one was made of its gradient."""
        order: list[Value] = []

        def visit(value: Value) -> None:
            if value not in order:
                for parent in value.parents:
                    visit(parent)
                order.append(value)

        visit(self)
        self.gradient = np.ones_like(self.data)
        for value in reversed(order):
            for parent, part in zip(value.parents, value.pull(value.gradient) if value.pull else (), strict=True):
                parent.gradient += part


def convolution(x: Value, weight: Value, stride: int) -> Value:
    kernel = weight.data.shape[2]
    border = kernel // 2
    padded = np.pad(x.data, ((0, 0), (0, 0), (border, border), (border, border)))
    windows = sliding_window_view(padded, (kernel, kernel), (2, 3))[:, :, ::stride, ::stride]
    height, width = windows.shape[2:4]

    def pull(gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        of_padded = np.zeros_like(padded)
        for i in range(kernel):
            for j in range(kernel):
                touched = of_padded[:, :, i : i + stride * height : stride, j : j + stride * width : stride]
                touched += np.einsum("nohw,oc->nchw", gradient, weight.data[:, :, i, j])
        inner = of_padded[:, :, border : border + x.data.shape[2], border : border + x.data.shape[3]]
        return inner, np.einsum("nohw,nchwij->ocij", gradient, windows, optimize=True)

    return Value(np.einsum("nchwij,ocij->nohw", windows, weight.data, optimize=True), (x, weight), pull)


def batch_norm(x: Value, gamma: Value, beta: Value) -> Value:
    """With the statistics of the batch."""
    axes = (0, 2, 3)
    mean, deviation = x.data.mean(axes, keepdims=True), np.sqrt(x.data.var(axes, keepdims=True) + EPSILON)
    standard = (x.data - mean) / deviation
    scale = gamma.data[:, None, None]

    def pull(gradient: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        along = standard * (gradient * standard).mean(axes, keepdims=True)
        of_x = scale / deviation * (gradient - gradient.mean(axes, keepdims=True) - along)
        return of_x, (gradient * standard).sum(axes), gradient.sum(axes)

    return Value(scale * standard + beta.data[:, None, None], (x, gamma, beta), pull)


def relu(x: Value) -> Value:
    return Value(np.maximum(x.data, 0), (x,), lambda gradient: (gradient * (x.data > 0),))


def add(x: Value, y: Value) -> Value:
    return Value(x.data + y.data, (x, y), lambda gradient: (gradient, gradient))


def max_pool(x: Value) -> Value:
    """3x3 at stride 2, with a border of one cell that is never the maximum."""
    padded = np.pad(x.data, ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    windows = sliding_window_view(padded, (3, 3), (2, 3))[:, :, ::2, ::2]
    largest = windows.reshape(*windows.shape[:4], 9).argmax(-1)

    def pull(gradient: np.ndarray) -> tuple[np.ndarray]:
        of_padded = np.zeros_like(padded)
        n, c, h, w = np.indices(largest.shape)
        np.add.at(of_padded, (n, c, 2 * h + largest // 3, 2 * w + largest % 3), gradient)
        return (of_padded[:, :, 1:-1, 1:-1],)

    return Value(windows.max((4, 5)), (x,), pull)


def mean_of_map(x: Value) -> Value:
    cells = x.data.shape[2] * x.data.shape[3]
    return Value(
        x.data.mean((2, 3)),
        (x,),
        lambda gradient: (np.broadcast_to(gradient[:, :, None, None] / cells, x.data.shape),),
    )


def dense(x: Value, weight: Value, bias: Value) -> Value:
    return Value(
        x.data @ weight.data.T + bias.data,
        (x, weight, bias),
        lambda gradient: (gradient @ weight.data, gradient.T @ x.data, gradient.sum(0)),
    )


def smoothed_cross_entropy(scores: Value, labels: np.ndarray, smoothing: float) -> Value:
    images, classes = scores.data.shape
    target = np.full((images, classes), smoothing / classes)
    target[np.arange(images), labels] += 1 - smoothing
    shifted = scores.data - scores.data.max(1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return Value(
        -(target * logarithms).sum(1).mean(),
        (scores,),
        lambda gradient: (gradient * (np.exp(logarithms) - target) / images,),
    )


def loss_and_gradients(
    parameters: Mapping[str, np.ndarray], images: np.ndarray, labels: np.ndarray, smoothing: float
) -> tuple[float, dict[str, np.ndarray]]:
    """The loss of a ResNet in training with these parameters, and its gradients by the parameters' names.

    The names tell what kind it is: a bottleneck has a third convolution, and a stem of 7x7 is followed by a pool.
    """
    values = {name: Value(each) for name, each in parameters.items()}

    def normalised(x: Value, conv: str, norm: str, stride: int) -> Value:
        x = convolution(x, values[f"{conv}.weight"], stride)
        return batch_norm(x, values[f"{norm}.gamma"], values[f"{norm}.beta"])

    def block(x: Value, name: str, stride: int) -> Value:
        shortcut = x
        if f"{name}.downsample.0.weight" in values:
            shortcut = normalised(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
        is_bottleneck = f"{name}.conv3.weight" in values
        strides = (1, stride, 1) if is_bottleneck else (stride, 1)
        for number, of_conv in enumerate(strides, 1):
            x = normalised(x, f"{name}.conv{number}", f"{name}.bn{number}", of_conv)
            if number < len(strides):
                x = relu(x)
        return relu(add(x, shortcut))

    for_photos = parameters["conv1.weight"].shape[2] == 7
    x = relu(normalised(Value(images), "conv1", "bn1", 2 if for_photos else 1))
    x = max_pool(x) if for_photos else x
    for stage in range(1, 5):
        number = 0
        while f"layer{stage}.{number}.conv1.weight" in values:
            x = block(x, f"layer{stage}.{number}", stride=2 if stage > 1 and number == 0 else 1)
            number += 1
    scores = dense(mean_of_map(x), values["fc.weight"], values["fc.bias"])
    loss = smoothed_cross_entropy(scores, labels, smoothing)
    loss.backward()
    return float(loss.data), {name: value.gradient for name, value in values.items()}
