"""The network with a real MindSpore, in this process alone."""

import numpy as np
import pytest

ms = pytest.importorskip("mindspore", reason="needs the extra npu-launch[mindspore]")

from mindspore.nn.utils import no_init_parameters  # noqa: E402
from parsing.mean_field import BlockMin, LocalConvolution, MeanField, position_weights  # noqa: E402
from parsing.memory import layers  # noqa: E402
from parsing.model import DeepParsingNetwork  # noqa: E402
from parsing.options import Options  # noqa: E402
from training.options import parse  # noqa: E402

pytestmark = pytest.mark.mindspore

RNG = np.random.default_rng(1)
SMALL = ["--width=2", "--fc6_kernel=3", "--fc6_dilation=2", "--fc_channels=6", "--image_size=32"]
SMALL += ["--mrf_stride=4", "--local_window=4", "--context_window=3", "--mixtures=2"]


@pytest.fixture(autouse=True)
def cpu(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # MindSpore leaves compilation records in the working directory
    ms.set_context(mode=ms.PYNATIVE_MODE)  # nothing to compile for one look
    ms.set_device("CPU")


def numbers(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def averaged(beliefs, image, side, position_deviation, colour_deviation):
    """The local convolution, node by node and neighbour by neighbour."""
    batch, _, height, width = beliefs.shape
    reach = range(-(side // 2), side - side // 2)
    near = {(dy, dx): np.exp(-(dy**2 + dx**2) / (2 * (position_deviation * side) ** 2)) for dy in reach for dx in reach}
    result = np.zeros_like(beliefs)
    for n in range(batch):
        for y in range(height):
            for x in range(width):
                for (dy, dx), weight in near.items():
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        difference = image[n, :, y + dy, x + dx] - image[n, :, y, x]
                        alike = np.exp(-(difference**2).sum() / (2 * colour_deviation**2))
                        result[n, :, y, x] += weight / sum(near.values()) * alike * beliefs[n, :, y + dy, x + dx]
    return result


@pytest.mark.parametrize("side", [3, 4])
def test_the_local_convolution_has_a_filter_of_its_own_at_each_node(side):
    beliefs, image = np.abs(numbers(2, 3, 5, 6)), numbers(2, 3, 5, 6)
    found = LocalConvolution(side, 0.25, 0.5)(ms.Tensor(beliefs), ms.Tensor(image)).asnumpy()
    np.testing.assert_allclose(found, averaged(beliefs, image, side, 0.25, 0.5), rtol=1e-4, atol=1e-6)


def test_in_an_image_of_one_colour_beliefs_that_agree_stay_as_they_are():
    beliefs, image = np.full((1, 2, 7, 7), 0.3, np.float32), np.ones((1, 3, 7, 7), np.float32)
    found = LocalConvolution(3, 0.25, 0.5)(ms.Tensor(beliefs), ms.Tensor(image)).asnumpy()
    np.testing.assert_allclose(found[:, :, 1:-1, 1:-1], 0.3, rtol=1e-5)
    assert position_weights(50, 12.5).sum() == pytest.approx(1.0, rel=1e-5)


def test_block_min_takes_the_least_of_neighbouring_channels():
    x = numbers(2, 6, 3, 4)
    found = BlockMin(3)(ms.Tensor(x)).asnumpy()
    np.testing.assert_array_equal(found, np.stack([x[:, :3].min(1), x[:, 3:].min(1)], 1))


def test_one_pass_of_the_mean_field_is_what_the_paper_says():
    """q_i(u) is in proportion to p_i(u) exp(-min over k of the sum of mu_k(i, u, j, v) times the averaged p_j(v))."""
    classes, mixtures = 2, 3
    scores, image = numbers(1, classes, 4, 5), numbers(1, 3, 4, 5)
    layer = MeanField(classes, 3, 0.25, 0.5, context_window=3, mixtures=mixtures)
    contexts = numbers(*layer.contexts.weight.shape)
    layer.contexts.weight.set_data(ms.Tensor(contexts))
    found = layer(ms.Tensor(scores), ms.Tensor(image)).asnumpy()

    beliefs = 1 / (1 + np.exp(-scores))
    around = np.pad(averaged(beliefs, image, 3, 0.25, 0.5), [(0, 0), (0, 0), (1, 1), (1, 1)])
    expected = np.zeros_like(scores)
    for y in range(4):
        for x in range(5):
            penalties = (contexts * around[0, :, y : y + 3, x : x + 3]).sum((1, 2, 3)).reshape(classes, mixtures)
            expected[0, :, y, x] = np.log(beliefs[0, :, y, x]) - penalties.min(1)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_beliefs_of_nearly_0_and_1_have_finite_scores():
    scores = np.array([[-500.0, 500.0]], np.float32).reshape(1, 2, 1, 1)
    layer = MeanField(2, 1, 0.25, 0.5, context_window=1, mixtures=1)
    assert np.isfinite(layer(ms.Tensor(scores), ms.Tensor(numbers(1, 3, 1, 1))).asnumpy()).all()


@pytest.mark.parametrize("stride", [1, 8])
def test_scores_have_the_size_of_the_image_whatever_the_stride_of_the_random_field(stride):
    network = DeepParsingNetwork(parse(Options, [*SMALL, f"--mrf_stride={stride}"], None), classes=3)
    images = ms.Tensor(numbers(1, 3, 32, 32))
    assert network.unary(images).shape == (1, 3, 4, 4)
    assert network(images).shape == (1, 3, 32, 32)


@pytest.mark.parametrize(("flags", "classes"), [(SMALL, 3), ([], 21)], ids=["small", "paper"])
def test_the_estimate_of_memory_counts_the_parameters_that_the_network_has(flags, classes):
    options = parse(Options, flags, None)
    with no_init_parameters():  # those of the paper's sizes take 5 GB
        network = DeepParsingNetwork(options, classes)
    found = [layer.parameters for layer in layers(options, classes)]
    parts = [*network.unary.trunk.stages, network.unary.fc6, network.unary.fc7, network.unary.classifier]
    parts += [network.mean_field.local, network.mean_field.contexts]
    assert found == [*(sum(each.size for each in part.trainable_params()) for part in parts), 0]
    assert sum(found) == sum(each.size for each in network.trainable_params())
