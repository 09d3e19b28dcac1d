"""The network, its first weights, its loss and one step, with a real MindSpore in this process alone."""

import numpy as np
import pytest

ms = pytest.importorskip("mindspore")

from mindspore import nn  # noqa: E402
from residual.initialisation import initialise  # noqa: E402
from residual.network import ResNet  # noqa: E402
from residual.options import Options  # noqa: E402
from training.on_mindspore import scaling  # noqa: E402
from training.on_mindspore.label_smoothing import LabelSmoothing  # noqa: E402
from training.on_mindspore.optimizer import build_optimizer, is_decayed  # noqa: E402
from training.on_mindspore.step import TrainStep  # noqa: E402
from training.options import parse  # noqa: E402

from tests.recipes.resnet.numpy_reference import loss_and_gradients  # noqa: E402

pytestmark = pytest.mark.mindspore


@pytest.fixture(autouse=True)
def cpu(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # MindSpore leaves compilation records in the working directory
    ms.set_context(mode=ms.PYNATIVE_MODE)  # nothing to compile for one look
    ms.set_device("CPU")
    ms.set_seed(1)


# As torchvision publishes them with its weights.
PUBLISHED = {18: 11_689_512, 34: 21_797_672, 50: 25_557_032, 101: 44_549_160, 152: 60_192_808}


@pytest.mark.parametrize("depth", PUBLISHED)
def test_each_depth_has_the_published_number_of_parameters(depth):
    network = ResNet(depth, width=64, stem="7x7", classes=1000)
    assert sum(each.size for each in network.trainable_params()) == PUBLISHED[depth]


def test_the_parameters_of_resnet_50_are_split_before_its_last_layers():
    """The comment beside `all_reduce_splits` in the recipe says so."""
    names = [each.name for each in ResNet(50, width=1, stem="7x7", classes=2).trainable_params()]
    assert len(names) == 161
    assert {name.split(".")[0] for name in names[86:]} == {"layer3", "layer4", "fc"}


@pytest.mark.parametrize("size", [32, 33, 64])
@pytest.mark.parametrize("stem", ["7x7", "3x3"])
def test_images_of_any_size_get_a_score_for_each_class(stem, size):
    network = ResNet(10, width=2, stem=stem, classes=7).set_train(False)
    assert network(ms.Tensor(np.zeros((2, 3, size, size), np.float32))).shape == (2, 7)


def test_the_loss_spreads_a_share_of_the_target_over_all_classes():
    scores = np.random.default_rng(1).normal(size=(2, 4)).astype(np.float32)
    logarithms = scores - np.log(np.exp(scores).sum(1, keepdims=True))
    target = np.full((2, 4), 0.05)
    target[[0, 1], [3, 1]] = 0.85
    loss = LabelSmoothing(4, 0.2)(ms.Tensor(scores), ms.Tensor(np.array([3, 1], np.int32)))
    assert float(loss.asnumpy()) == pytest.approx(-(target * logarithms).sum(1).mean(), rel=1e-6)


@pytest.mark.parametrize(
    ("distribution", "deviation"),
    [
        ("kaiming", (2 / (64 * 9)) ** 0.5),
        ("xavier", (2 / (9 * 96)) ** 0.5),
        ("truncated_normal", (2 / (32 * 9)) ** 0.5),
    ],
)
def test_first_weights_have_the_deviation_of_their_distribution(distribution, deviation):
    network = nn.SequentialCell(nn.Conv2d(32, 64, 3), nn.BatchNorm2d(64), nn.Dense(64, 64))
    initialise(network, distribution)
    weights = {name: each.asnumpy() for name, each in network.parameters_dict().items()}
    assert weights["0.weight"].std() == pytest.approx(deviation, rel=0.05)
    if distribution == "truncated_normal":
        assert np.abs(weights["0.weight"]).max() < 2.3 * deviation
    assert weights["2.weight"].std() == pytest.approx((2 / 128) ** 0.5, rel=0.05)
    assert not weights["2.bias"].any()
    assert (weights["1.gamma"] == 1).all()


@pytest.mark.parametrize(("depth", "stem", "size"), [(10, "7x7", 64), (14, "3x3", 16)])
def test_a_step_has_the_loss_and_the_gradients_of_the_reference(depth, stem, size):
    """With fixed weights and a fixed batch; momentum starts as the gradient, to which weight decay was added."""
    options = parse(Options, [f"--depth={depth}", f"--stem={stem}", "--width=4", "--learning_rate=0.1"], None)
    rng = np.random.default_rng(depth)
    network = ResNet(**options.architecture(), classes=5)
    initialise(network, "kaiming")
    for each in network.trainable_params():  # none of them the identity, so that each one counts
        if each.name.endswith(("gamma", "beta", "bias")):
            each.set_data(ms.Tensor(rng.uniform(0.5, 1.5, each.shape), ms.float32))
    images = rng.normal(size=(4, 3, size, size)).astype(np.float32)
    labels = rng.integers(5, size=4).astype(np.int32)
    before = {each.name: each.asnumpy().astype(np.float64) for each in network.trainable_params()}
    loss, gradients = loss_and_gradients(before, images, labels, options.label_smoothing)

    optimizer = build_optimizer(network, [options.learning_rate], options)
    criterion = LabelSmoothing(5, options.label_smoothing)
    step = TrainStep(network, criterion, optimizer, scaling.build_scaler(options), accumulation=1, ranks=1)
    result = step([(images, labels)])

    assert result.loss == pytest.approx(loss, abs=1e-4)
    for weight, moment in zip(optimizer.parameters, optimizer.moments, strict=True):
        expected = gradients[weight.name] + options.weight_decay * is_decayed(weight) * before[weight.name]
        np.testing.assert_allclose(moment.asnumpy(), expected, atol=1e-4, err_msg=weight.name)
        updated = before[weight.name] - options.learning_rate * expected
        np.testing.assert_allclose(weight.asnumpy(), updated, atol=1e-4, err_msg=weight.name)
