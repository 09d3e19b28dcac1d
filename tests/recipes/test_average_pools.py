"""No average pool leaves the AI Core."""

from collections.abc import Callable, Iterator
from math import inf, prod

import pytest

pytest.importorskip("mindspore")

from deeplabv3.model import DeepLabV3
from deeplabv3.options import Options as DeepLabOptions
from mindspore import nn
from mindspore.nn.utils import no_init_parameters
from parsing.model import DeepParsingNetwork
from parsing.options import Options as ParsingOptions
from residual.network import ResNet
from residual.options import Options as ResNetOptions

pytestmark = pytest.mark.mindspore

AI_CORE = 255
"""Cells of a kernel that AvgPool takes there at most (facts/profiling.md, section 4)."""

FULL_SIZE: dict[str, Callable[[], nn.Cell]] = {
    "resnext": lambda: DeepLabV3(DeepLabOptions(), num_classes=21),
    "resnet": lambda: ResNet(**ResNetOptions().architecture(), classes=1000),
    "dpn": lambda: DeepParsingNetwork(ParsingOptions(), classes=21),
}


def kernels(network: nn.Cell) -> Iterator[tuple[str, float]]:
    """Name and cells of each average pool; one that adapts to its input may have any number of them."""
    for name, cell in network.cells_and_names():
        for each in (cell, *vars(cell)["_primitives"].values()):
            if "AvgPool" in type(each).__name__:
                side = getattr(each, "kernel_size", inf)
                yield name, side**2 if isinstance(side, (int, float)) else prod(side)


@pytest.mark.parametrize("recipe", FULL_SIZE)
def test_no_average_pool_of_a_full_size_network_leaves_the_ai_core(recipe: str) -> None:
    with no_init_parameters():
        network = FULL_SIZE[recipe]()
    assert [(name, cells) for name, cells in kernels(network) if cells > AI_CORE] == []


@pytest.mark.parametrize("pool", [nn.AvgPool2d(16), nn.AdaptiveAvgPool2d(1), nn.AvgPool2d((2, 128))])
def test_an_average_pool_too_large_would_be_found(pool: nn.Cell) -> None:
    ((_, cells), *_) = kernels(nn.SequentialCell(nn.ReLU(), pool))
    assert cells > AI_CORE
