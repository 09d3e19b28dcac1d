"""What training takes of a device's memory, layer by layer: arithmetic of shapes, without a framework.

All values are float32 (`--amp_level=O0`). A parameter takes three: itself, its gradient and its momentum; with
accumulation a fourth, the sum of its gradients over the micro-batches. What a layer puts out is kept for the backward
pass. What it needs beside that only while it is computed, forward or backward, takes memory once, for the layer that
needs most of it. What device and framework take for themselves is not in it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from parsing.options import POOLED_STAGES, STAGES, TRUNK_STRIDE, Options

_VALUE = 4

_MB = 1 << 20
_GB = 1 << 30


@dataclass(frozen=True)
class Layer:
    """One layer or stage, in numbers of values for a micro-batch."""

    name: str
    parameters: int
    kept: int  # put out, and kept until the backward pass
    passing: int  # while the layer is computed
    states: int = 3  # for each parameter

    @property
    def state_bytes(self) -> int:
        """Of weights, gradients, their sums if there are any, and momentum."""
        return self.parameters * self.states * _VALUE

    @property
    def kept_bytes(self) -> int:
        return self.kept * _VALUE

    @property
    def passing_bytes(self) -> int:
        return self.passing * _VALUE


def layers(options: Options, classes: int) -> tuple[Layer, ...]:
    """All layers from the image to the loss."""
    cells = options.batch_size * (options.image_size // TRUNK_STRIDE) ** 2
    channels, fc, fc6 = options.width * STAGES[-1][1], options.fc_channels, options.fc6_kernel
    every = (
        *_trunk(options),
        _convolution(f"fc6 {fc6}x{fc6}x{channels}x{fc}", channels, fc, fc6, cells),
        _convolution(f"fc7 1x1x{fc}x{fc}", fc, fc, 1, cells),
        _convolution(f"classifier 1x1x{fc}x{classes}", fc, classes, 1, cells),
        *_mean_field(options, classes),
        _loss(options, classes),
    )
    return tuple(replace(layer, states=4) for layer in every) if options.accumulation > 1 else every


def bytes_by_part(every: Sequence[Layer]) -> dict[str, int]:
    """Bytes by name of layer; together they are the most that is in use at any time."""
    hungriest = max(every, key=lambda layer: layer.passing)
    return {
        layer.name: layer.state_bytes + layer.kept_bytes + (layer.passing_bytes if layer is hungriest else 0)
        for layer in every
    }


def size_text(size: int) -> str:
    """A size as a recipe has it, rounded up: `14.7 GB`, `3 MB`."""
    if size >= _GB:
        return f"{math.ceil(size * 10 / _GB) / 10:.1f} GB"
    return f"{math.ceil(size / _MB)} MB"


def recipe_memory(options: Options, classes: int) -> dict[str, str]:
    """The `memory` of a recipe with these options."""
    return {name: size_text(size) for name, size in bytes_by_part(layers(options, classes)).items()}


def _trunk(options: Options) -> list[Layer]:
    made = []
    inputs, pixels = 3, options.batch_size * options.image_size**2
    for stage, (convolutions, widths, _) in enumerate(STAGES):
        outputs = options.width * widths
        parts = []
        for _ in range(convolutions):
            parts.append(_convolution("", inputs, outputs, 3, pixels))
            inputs = outputs
        pooled = pixels // 4 * outputs if stage < POOLED_STAGES else 0
        made.append(
            Layer(
                f"conv{stage + 1} {convolutions} x 3x3x{outputs}",
                sum(part.parameters for part in parts),
                sum(part.kept for part in parts) + pooled,
                max(part.passing for part in parts),
            )
        )
        pixels = pixels // 4 if pooled else pixels
    return made


def _convolution(name: str, inputs: int, outputs: int, kernel: int, cells: int) -> Layer:
    """With bias and ReLU: two more outputs while it runs, and on the way back their gradients and that of the input."""
    return Layer(name, kernel**2 * inputs * outputs + outputs, cells * outputs, cells * (2 * outputs + inputs))


def _mean_field(options: Options, classes: int) -> list[Layer]:
    """The scores at the nodes, the filters of all nodes, and what the windows hold.

    A window of all classes is there twice: unfolded and multiplied on the way forth, as two gradients on the way back.
    The filters come from windows of three colours: unfolded, and squared after the node's own is taken off.
    """
    nodes = options.batch_size * (options.image_size // options.mrf_stride) ** 2
    local, context, mixtures = options.local_window, options.context_window, options.mixtures
    in_window, outputs = local**2, classes * mixtures
    return [
        Layer(
            f"local convolution {local}x{local}",
            0,
            nodes * (3 * classes + in_window),  # scores, beliefs, averages; filters
            nodes * in_window * max(2 * classes, 7),
        ),
        Layer(
            f"label contexts {context}x{context}x{classes}x{outputs}",
            context**2 * classes * outputs,
            nodes * (outputs + 2 * classes),  # penalties; the least of them, and the sum with the unary term
            nodes * (2 * outputs + classes),
        ),
    ]


def _loss(options: Options, classes: int) -> Layer:
    scores = options.batch_size * options.image_size**2 * classes
    return Layer("loss", 0, 3 * scores, 2 * scores)  # at the pixels: scores, targets, and the gradient of the loss
