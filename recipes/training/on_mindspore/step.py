"""One optimiser step: gradients of the scaled loss, averaged over micro-batches and ranks, and the update."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import mindspore as ms
import numpy as np
from mindspore import Parameter, ParameterTuple, Tensor, nn, ops

from training.on_mindspore import scaling
from training.on_mindspore.statistics import SharedStatistics


@dataclass(frozen=True)
class StepResult:
    """The same on every rank."""

    loss: float  # mean of the global batch
    updated: bool  # False: gradients or loss were not finite; weights and statistics are those of before the step
    tried_scale: float  # loss scale of this step
    next_scale: float


class TrainStep:
    """Trains `network` one optimiser step per call.

    A single micro-batch is one graph, so that a device may reduce early gradients while it computes later ones. With
    accumulation there are two: one adds up a micro-batch, the other reduces and updates once per step.
    """

    def __init__(
        self,
        network: nn.Cell,
        criterion: nn.Cell,
        optimizer: nn.Optimizer,
        scaler: ms.amp.LossScaler,
        accumulation: int,
        ranks: int,
    ):
        gradients = _Gradients(network, criterion, scaler, optimizer.parameters)
        update = _Update(optimizer, scaler, accumulation, ranks)
        self.network, self.scaler = network, scaler
        self.whole_step = _WholeStep(gradients, update) if accumulation == 1 else None
        if accumulation > 1:
            self.accumulate = _Accumulate(gradients, optimizer.parameters)
            self.update = _UpdateFromSums(update, self.accumulate)
        needed = ranks > 1 or scaling.is_dynamic(scaler)
        self.share_statistics = SharedStatistics(network, ranks, scaling.is_dynamic(scaler)) if needed else None
        self.loss_scale = float(scaler.scale_value.asnumpy())

    def __call__(self, micro_batches: Iterable[tuple[np.ndarray, np.ndarray]]) -> StepResult:
        """Train on float32 images (batch, 3, H, W) with their int32 classes, `accumulation` times."""
        self.network.set_train(True)
        for images, classes in micro_batches:
            if self.whole_step is not None:
                loss, finite = self.whole_step(Tensor(images), Tensor(classes))
            else:
                self.accumulate(Tensor(images), Tensor(classes))
        if self.whole_step is None:
            loss, finite = self.update()
        if self.share_statistics is not None:
            self.share_statistics(finite)
        tried, self.loss_scale = self.loss_scale, float(self.scaler.scale_value.asnumpy())
        return StepResult(float(loss.asnumpy()), bool(finite.asnumpy()), tried, self.loss_scale)


class _Gradients(nn.Cell):
    """Images and classes to the loss and the gradients of the scaled loss."""

    def __init__(self, network, criterion, scaler, weights):
        super().__init__(auto_prefix=False)
        self.network, self.criterion, self.scaler = network, criterion, scaler
        self.differentiate = ms.value_and_grad(self.scaled_loss, None, weights, has_aux=True)

    def scaled_loss(self, images, classes):
        loss = self.criterion(self.network(images), classes)
        return self.scaler.scale(loss), loss

    def construct(self, images, classes):
        (_, loss), gradients = self.differentiate(images, classes)
        return loss, gradients


class _Update(nn.Cell):
    """Sums of losses and gradients over the micro-batches to an update of the weights.

    Overflow is looked for after the sum over ranks: one rank's overflow is in the sum of all, so all skip together. An
    Ascend 910A knows no infinity, and MindSpore asks the device whether it saturated: each knows only of itself. So
    what the ranks found is added up as well, with their losses.
    """

    def __init__(self, optimizer, scaler, accumulation, ranks):
        super().__init__(auto_prefix=False)
        self.optimizer, self.scaler, self.is_scaled = optimizer, scaler, not scaling.is_off(scaler)
        self.share, self.loss_share = 1.0 / accumulation, 1.0 / (accumulation * ranks)
        self.grouped, self.ranks = ranks > 1, ranks
        if self.grouped:
            self.average = nn.DistributedGradReducer(optimizer.parameters, True, ranks)
            self.sum_over_ranks = ops.AllReduce()
        self.each = ops.HyperMap()

    def construct(self, loss, gradients):
        if self.grouped:
            gradients = self.average(gradients)
        # Gradients times 1 are the same gradients, but more of a graph for every rank to compile.
        if self.is_scaled:
            gradients = self.scaler.unscale(gradients)
        if self.share != 1.0:
            gradients = self.each(ops.partial(_times, self.share), gradients)
        finite = ms.amp.all_finite(gradients)
        if self.grouped:
            told = self.sum_over_ranks(ops.stack((loss, finite.astype("float32"))))
            loss, finite = told[0], told[1] == self.ranks
        loss = loss * self.loss_share
        finite = ops.logical_and(finite, ops.isfinite(loss))
        if finite:
            loss = ops.depend(loss, self.optimizer(gradients))
        self.scaler.adjust(finite)
        return loss, finite


class _WholeStep(nn.Cell):
    def __init__(self, gradients, update):
        super().__init__(auto_prefix=False)
        self.gradients, self.update = gradients, update

    def construct(self, images, classes):
        loss, gradients = self.gradients(images, classes)
        return self.update(loss, gradients)


class _Accumulate(nn.Cell):
    """Adds one micro-batch to the sums."""

    def __init__(self, gradients, weights):
        super().__init__(auto_prefix=False)
        self.gradients = gradients
        self.sums = ParameterTuple(weights).clone(prefix="gradient_sum", init="zeros")
        self.loss_sum = Parameter(Tensor(0.0, ms.float32), name="loss_sum", requires_grad=False)
        self.each = ops.HyperMap()

    def construct(self, images, classes):
        loss, gradients = self.gradients(images, classes)
        self.each(_add_to, self.sums, gradients)
        ops.assign_add(self.loss_sum, loss)
        return loss


class _UpdateFromSums(nn.Cell):
    """Updates from the sums, then empties them."""

    def __init__(self, update, accumulate):
        super().__init__(auto_prefix=False)
        self.update, self.sums, self.loss_sum = update, accumulate.sums, accumulate.loss_sum
        self.each = ops.HyperMap()

    def construct(self):
        loss, finite = self.update(self.loss_sum, self.sums)
        self.each(_empty, self.sums)
        ops.assign(self.loss_sum, ops.zeros_like(self.loss_sum))
        return loss, finite


def _times(factor, gradient):
    return gradient * factor


def _add_to(total, gradient):
    return ops.assign_add(total, gradient)


def _empty(total):
    return ops.assign(total, ops.zeros_like(total))
