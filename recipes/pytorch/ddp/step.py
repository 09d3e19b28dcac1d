"""One optimiser step: gradients of the scaled loss, averaged over micro-batches and ranks, and the update."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from training.loader import Sample

from ddp.device import Device
from ddp.group import Group
from ddp.options import Options
from ddp.statistics import SharedStatistics

# torch 2.13 has a new name for this option, and warns of the one that versions with torch_npu know.
_OPTIONS = inspect.signature(DistributedDataParallel).parameters
_FORWARD_BROADCAST = "forward_sync_buffers" if "forward_sync_buffers" in _OPTIONS else "broadcast_buffers"


@dataclass(frozen=True)
class StepResult:
    """The same on every rank."""

    loss: float  # mean of the global batch
    gradient_norm: float
    updated: bool  # False: gradients were not finite; weights and statistics are those of before the step
    tried_scale: float  # loss scale of this step
    next_scale: float


class TrainStep:
    """Trains `network` one optimiser step per call."""

    def __init__(
        self, network: nn.Module, optimizer: torch.optim.Optimizer, device: Device, group: Group, options: Options
    ):
        self.network, self.optimizer, self.device, self.options = network, optimizer, device, options
        self.criterion = nn.CrossEntropyLoss(label_smoothing=options.label_smoothing)
        self.parameters = list(network.parameters())
        self.statistics = SharedStatistics(network, group)
        self.parallel: nn.Module = network
        if group.ranks > 1:
            self.parallel = DistributedDataParallel(network, **{_FORWARD_BROADCAST: False})
            self._settle_buckets()

    def __call__(self, micro_batches: Iterable[Sample], learning_rate: float) -> StepResult:
        """Train on float32 images (batch, 3, H, W) with int32 classes (batch,), `--accumulation` times."""
        self.network.train()
        former = self.statistics.copy()
        tried_scale = self.device.scaler.get_scale()
        loss = torch.zeros((), device=self.device.name)
        for number, (images, classes) in enumerate(micro_batches, 1):
            with self._reducing(number == self.options.accumulation):
                loss += self._add_gradients(images, classes)
        updated, gradient_norm = self._update(learning_rate, tried_scale)
        mean_loss = self.statistics.average(loss)
        if not updated:
            self.statistics.restore(former)
        return StepResult(mean_loss, gradient_norm, updated, tried_scale, self.device.scaler.get_scale())

    def _add_gradients(self, images: np.ndarray, classes: np.ndarray) -> Tensor:
        """Add the gradients of a micro-batch to the sums; its share of the step's loss."""
        with self.device.autocast():
            scores = self.parallel(torch.from_numpy(images).to(self.device.name))
            loss = self.criterion(scores.float(), torch.from_numpy(classes).to(self.device.name, torch.int64))
            loss = loss / self.options.accumulation
        self.device.scaler.scale(loss).backward()
        return loss.detach()

    def _update(self, learning_rate: float, tried_scale: float) -> tuple[bool, float]:
        """Update the weights unless a gradient is not finite, and forget the gradients.

        Gradients are those of all ranks by now, so that all ranks skip the same steps.
        """
        scaler = self.device.scaler
        for each in self.optimizer.param_groups:
            each["lr"] = learning_rate
        scaler.unscale_(self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.parameters, self.options.clip_norm or math.inf).item()
        if scaler.is_enabled():
            scaler.step(self.optimizer)
            scaler.update()
            updated = scaler.get_scale() >= tried_scale
        elif updated := math.isfinite(norm):
            self.optimizer.step()
        self.optimizer.zero_grad()
        return updated, norm

    def _reducing(self, now: bool) -> contextlib.AbstractContextManager[None]:
        """Only the last micro-batch of a step sums up the gradients over ranks."""
        if now or not isinstance(self.parallel, DistributedDataParallel):
            return contextlib.nullcontext()
        return self.parallel.no_sync()

    def _settle_buckets(self) -> None:
        """Have DDP choose its buckets before the first step.

        DDP lays its buckets out anew after the first backward pass, by the order in which gradients were ready. With
        more than two ranks the place of a gradient in its bucket decides in which order ranks are added up, and so its
        last bits: without this, the first step of a resumed run would not be that of an uninterrupted one. In
        evaluation mode BatchNorm's statistics stay.
        """
        self.network.eval()
        side = self.options.image_size
        self.parallel(torch.zeros((1, 3, side, side), device=self.device.name)).sum().backward()
        self.optimizer.zero_grad()
