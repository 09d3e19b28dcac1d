"""The network of a checkpoint as a MINDIR file."""

from __future__ import annotations

import shutil
import tempfile

import mindspore as ms
import numpy as np
from mindspore import Tensor, nn
from training.on_mindspore.checkpoint import facts_of, load_network

from residual.network import ResNet

LARGEST_DIFFERENCE = 1e-4
"""Of a score that the file gives, as a share of the largest score: what another order of additions explains."""

_ARCHITECTURE = ("depth", "width", "stem", "classes")


def export(checkpoint: str, output: str, image_size: int, batch_size: int) -> float:
    """Write the file for batches of this shape, load it back, and return by how much its scores differ at most.

    Raises RecipeError if the checkpoint cannot be read or is not one of ResNet.
    """
    architecture = facts_of(checkpoint, _ARCHITECTURE)
    network = ResNet(**architecture).set_train(False)
    load_network(checkpoint, network, architecture)
    images = np.random.default_rng(0).normal(size=(batch_size, 3, image_size, image_size)).astype(np.float32)
    scores = network(Tensor(images)).asnumpy()
    with tempfile.TemporaryDirectory() as workshop:  # MindSpore takes no file name with a space in it
        draft = f"{workshop}/network.mindir"
        ms.export(network, Tensor(images), file_name=draft, file_format="MINDIR")
        of_file = nn.GraphCell(ms.load(draft))(Tensor(images)).asnumpy()
        shutil.move(draft, output)
    return float(np.abs(of_file - scores).max() / np.abs(scores).max())
