"""What the recipe promises of its model, its step and its checkpoints; run by a Python that has PyTorch.

Each function below is one promise. What is printed is JSON: by name, an empty text or the traceback.
"""

from __future__ import annotations

import contextlib
import gc
import io
import json
import os
import re
import signal
import sys
import tempfile
import traceback
import types
from collections.abc import Callable

import numpy as np
import torch
import torch.distributed as dist
import train
from ddp import device
from ddp.checkpoint import State
from ddp.environment import Place
from ddp.group import Group
from ddp.model import ResNet
from ddp.optimizer import build_optimizer
from ddp.options import Options
from ddp.step import TrainStep
from training.checkpoint_folder import CheckpointFolder
from training.errors import RecipeError

SMALL = {"depth": 10, "width": 4, "stem": "3x3", "image_size": 16, "batch_size": 4, "learning_rate": 0.05}
RUN = {**SMALL, "train_images": 40, "eval_images": 9, "epochs": 1, "workers": 1}  # 10 steps
SCALED = {
    "loss_scale": "dynamic",
    "loss_scale_window": 2,
    "amp": "bfloat16",
    "accumulation": 2,
    "deterministic": "true",
}  # 5 steps
ALONE = Place(rank=0, local_rank=0, ranks=1, device_target="CPU")


_ALONE_IN_GROUP = Group(rank=0, ranks=1)


class _Trained:
    """The recipe's own parts, put together as a run puts them together."""

    def __init__(self, group: Group = _ALONE_IN_GROUP, **options: object) -> None:
        self.options = Options(**{**SMALL, **options})
        self.device = device.prepare(self.options, ALONE)
        torch.manual_seed(1)
        self.network = ResNet(self.options.stage_blocks, self.options.width, self.options.stem, classes=10)
        self.optimizer = build_optimizer(self.network, self.options)
        self.train_step = TrainStep(self.network, self.optimizer, self.device, group, self.options)
        self.state = State(self.network, self.optimizer, self.device.scaler)

    def step(self, images: np.ndarray | None = None):
        drawn = np.random.default_rng(1).normal(size=(4, 3, 16, 16)).astype(np.float32)
        return self.train_step([(drawn if images is None else images, np.arange(4, dtype=np.int32))], 0.05)

    def weights(self) -> dict[str, torch.Tensor]:
        return {name: value.clone() for name, value in self.network.state_dict().items()}


def _same(ours: dict[str, torch.Tensor], theirs: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def _run(**options: object) -> tuple[int, str]:
    """The exit code of the script, and all that it said."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = train.main([f"--{name}={value}" for name, value in {**RUN, **options}.items()])
    return code, said.getvalue()


def _digest(said: str) -> str:
    return re.findall(r"^weights sha256: (\w+) step: \d+$", said, re.MULTILINE)[-1]


def _refusal(action: Callable[[], object]) -> str:
    try:
        action()
    except RecipeError as error:
        assert "\n" not in str(error)
        return str(error)
    raise AssertionError("nothing was refused")


def both_depths_have_the_published_number_of_parameters_and_names() -> None:
    for depth, published in ((18, 11_689_512), (34, 21_797_672)):
        network = ResNet(Options(depth=depth).stage_blocks, 64, "7x7", classes=1000)
        assert sum(each.numel() for each in network.parameters()) == published
    assert {"conv1.weight", "layer2.0.downsample.1.running_var", "layer4.2.bn2.bias", "fc.bias"} < set(
        network.state_dict()
    )


def scores_have_a_row_per_image_whatever_their_size() -> None:
    for stem, side in (("3x3", 32), ("7x7", 64), ("7x7", 65)):
        assert ResNet((1, 1, 1, 1), 4, stem, classes=7)(torch.zeros(2, 3, side, side)).shape == (2, 7)


def weight_decay_spares_batchnorm_and_biases() -> None:
    trained = _Trained(weight_decay=0.1)
    before = trained.weights()
    for each in trained.network.parameters():
        each.grad = torch.zeros_like(each)
    trained.optimizer.step()
    moved = {name for name, value in trained.weights().items() if not torch.equal(value, before[name])}
    assert moved == {name for name, value in trained.network.named_parameters() if value.ndim > 1}


def micro_batches_add_up_to_the_gradients_of_their_mean() -> None:
    whole, parts = _Trained(clip_norm=0.0), _Trained(accumulation=2)
    images = np.random.default_rng(1).normal(size=(4, 3, 16, 16)).astype(np.float32)
    classes = np.arange(4, dtype=np.int32)
    for each in (whole, parts):  # in evaluation mode BatchNorm treats each image alike, whatever its batch
        each.network.train = types.MethodType(lambda self, mode=True: torch.nn.Module.train(self, False), each.network)
    one = whole.train_step([(images, classes)], 0.05)
    two = parts.train_step([(images[:2], classes[:2]), (images[2:], classes[2:])], 0.05)
    assert abs(one.loss - two.loss) < 1e-6
    for name, value in whole.weights().items():
        torch.testing.assert_close(parts.weights()[name], value)


def buckets_of_ddp_are_those_of_the_first_step_from_then_on() -> None:
    """With three ranks or more a resumed run could not end with the bits of an uninterrupted one otherwise."""
    dist.init_process_group("gloo", rank=0, world_size=1, store=dist.HashStore())
    try:
        trained = _Trained(group=Group(0, ranks=2))  # a group of more than one, as far as the step knows
        before = trained.weights()
        assert trained.step().updated
        assert not _same(trained.weights(), before)
        assert not trained.train_step.parallel.reducer._rebuild_buckets()  # it has been done
        del trained
        gc.collect()
    finally:
        dist.destroy_process_group()


def the_norm_of_the_gradients_is_cut_to_what_is_allowed() -> None:
    free, cut = _Trained(momentum=0.0, weight_decay=0.0), _Trained(momentum=0.0, weight_decay=0.0, clip_norm=0.1)
    norm = free.step().gradient_norm
    assert norm > 0.1
    before = cut.weights()
    assert cut.step().gradient_norm == norm
    moved = [(value - before[name]).norm() for name, value in cut.network.named_parameters()]
    assert abs(torch.stack(moved).norm().item() - 0.05 * 0.1) < 1e-5  # the learning rate times the norm


def a_step_that_overflows_leaves_no_trace_but_a_smaller_scale() -> None:
    trained = _Trained(loss_scale="dynamic", loss_scale_value=1024.0)
    before = trained.weights()
    result = trained.step(np.full((4, 3, 16, 16), np.inf, np.float32))
    assert not result.updated
    assert (result.tried_scale, result.next_scale) == (1024.0, 512.0)
    assert _same(trained.weights(), before)


def without_a_loss_scale_gradients_that_are_no_numbers_leave_the_weights() -> None:
    trained = _Trained()
    before = trained.weights()
    assert not trained.step(np.full((4, 3, 16, 16), np.nan, np.float32)).updated
    assert _same(trained.weights(), before)


def a_run_in_two_parts_ends_with_the_weights_of_one_in_one_go() -> None:
    for scaled in ({}, SCALED):
        with tempfile.TemporaryDirectory(suffix="of 'this' run") as folder:
            code, said = _run(**scaled)
            assert code == 0, said
            assert re.search(r"^Eval result: epoch 1, metrics: \{.*'images': 9\}$", said, re.MULTILINE)
            code, part = _run(**scaled, checkpoint_dir=folder, stop_at_step=3)
            assert code == 0, part
            saved = f"{folder}/step_00000003.ckpt"
            code, rest = _run(**scaled, resume_from=saved)
            assert f"resumed from: {saved} step: 3\nweights sha256: {_digest(part)} step: 3" in rest
            assert _digest(rest) == _digest(said) != _digest(part)


def a_checkpoint_is_evaluated_as_it_was_after_its_training() -> None:
    with tempfile.TemporaryDirectory(suffix="of 'this' run") as folder:
        code, trained = _run(checkpoint_dir=folder, image_size=8)
        assert code == 0, trained
        saved = f"{folder}/step_00000010.ckpt"
        code, evaluated = _run(evaluate=saved, image_size=8, train_images=2, batch_size=2)
        assert code == 0, evaluated
        assert _digest(evaluated) == _digest(trained)
        (line,) = re.findall(r"^Eval result: epoch 1, .*$", trained, re.MULTILINE)
        assert evaluated.splitlines()[-1] == line
        assert "step: 10, loss" not in evaluated
        code, refused = _run(evaluate=saved, width=8)
        assert (code, refused.count("error:")) == (2, 1), refused
        assert "was written with width 4; this run has width 8" in refused


def a_checkpoint_of_another_run_is_refused_and_nothing_is_loaded() -> None:
    with tempfile.TemporaryDirectory() as folder:
        saved = str(_Trained().state.save(CheckpointFolder(folder, 1), 1, {"width": 4}))
        other = _Trained(width=8)
        before = other.weights()
        told = _refusal(lambda: other.state.load(saved, {"width": 8}))
        assert "was written with width 4; this run has width 8" in told
        assert "expected" in _refusal(lambda: other.state.load(saved, {"width": 4}))
        assert _same(other.weights(), before)
        code, said = _run(resume_from=saved)
        assert (code, said.count("error:")) == (2, 1), said


def a_damaged_checkpoint_is_refused_in_one_line() -> None:
    with tempfile.TemporaryDirectory() as folder:
        trained = _Trained()
        saved = trained.state.save(CheckpointFolder(folder, 1), 1, {})
        whole = saved.read_bytes()
        weight = whole.index(trained.network.fc.weight.detach().numpy().tobytes())
        one_bit = whole[:weight] + bytes([whole[weight] ^ 1]) + whole[weight + 1 :]
        for content in (whole[: len(whole) // 3], one_bit, b"none", b""):
            saved.write_bytes(content)
            assert "cannot be read as a checkpoint of this script" in _refusal(
                lambda: trained.state.load(str(saved), {})
            )


def a_checkpoint_runs_no_code_when_it_is_read() -> None:
    class Trap:
        def __reduce__(self):
            return os.kill, (os.getpid(), signal.SIGKILL)

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/step_00000001.ckpt"
        torch.save({"sha256": Trap()}, path)
        assert "(UnpicklingError)" in _refusal(lambda: _Trained().state.load(path, {}))


def a_loss_that_is_no_number_ends_the_run_with_code_1_and_writes_no_checkpoint_of_it() -> None:
    with tempfile.TemporaryDirectory() as folder:
        code, said = _run(learning_rate=1e30, clip_norm=1e30, checkpoint_dir=folder, checkpoint_every=1)
        assert code == 1, said
        assert "loss is NAN or INF" in said.splitlines()[-1]
        (stopped_at,) = re.findall(r"In epoch: 1 step: (\d+),", said)
        assert f"step: {stopped_at}" not in [line.rpartition(" step: ")[2] for line in said.splitlines()[:-1]]


def what_a_device_cannot_do_is_told_in_one_line() -> None:
    npu = Place(rank=0, local_rank=2, ranks=1, device_target="Ascend")
    assert "torch_npu cannot be imported" in _refusal(lambda: device.prepare(Options(), npu))
    half = Options(amp="float16", loss_scale="dynamic")
    assert "take --amp=bfloat16 or off" in _refusal(lambda: device.prepare(half, ALONE))
    sys.modules["torch_npu"] = plugin = types.ModuleType("torch_npu")
    chosen: list[int] = []
    plugin.npu = types.SimpleNamespace(
        is_available=lambda: True,
        device_count=lambda: 2,
        set_device=chosen.append,
        get_device_name=lambda: "Ascend910A",
        is_bf16_supported=lambda: False,
        amp=types.SimpleNamespace(GradScaler=lambda **options: options),
    )
    try:
        assert "LOCAL_RANK=2, but this process sees 2 NPUs" in _refusal(lambda: device.prepare(Options(), npu))
        second = Place(rank=9, local_rank=1, ranks=16, device_target="Ascend")
        assert "does not compute in it" in _refusal(lambda: device.prepare(Options(amp="bfloat16"), second))
        found = device.prepare(half, second)
    finally:
        del sys.modules["torch_npu"]
    assert (found.name, found.backend, chosen) == ("npu:1", "hccl", [1, 1])
    assert found.scaler == {"init_scale": 65536.0, "growth_interval": 2000, "enabled": True}


def _tried(promise: Callable[[], None]) -> str:
    try:
        promise()
    except Exception:
        return traceback.format_exc()
    return ""


if __name__ == "__main__":
    promises = {
        name: value
        for name, value in list(globals().items())
        if isinstance(value, types.FunctionType) and value.__module__ == "__main__" and not name.startswith("_")
    }
    print(json.dumps({name: _tried(promise) for name, promise in promises.items()}))
