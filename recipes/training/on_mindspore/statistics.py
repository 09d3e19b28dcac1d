"""BatchNorm's moving statistics, kept equal on all ranks."""

from __future__ import annotations

from mindspore import ParameterTuple, nn, ops


class SharedStatistics(nn.Cell):
    """Averages the moving means and variances over ranks; where steps may be skipped, then puts the former ones back.

    In data parallel each rank's BatchNorm sees its own images, so the statistics drift apart although the weights do
    not. Averaged in every step they are part of the state all ranks share: any rank's checkpoint is the run's, every
    rank evaluates the same network, the hash covers them, and a resumed run repeats them to the last bit. Together
    they are a few thousand numbers: one small reduction.
    """

    def __init__(self, network: nn.Cell, ranks: int, may_skip: bool):
        super().__init__(auto_prefix=False)
        moving = [each for each in network.get_parameters() if each.name.endswith(("moving_mean", "moving_variance"))]
        self.statistics = ParameterTuple(moving)
        self.may_skip = may_skip
        self.former = self.statistics.clone(prefix="former", init="same") if may_skip else ()
        self.grouped, self.share = ranks > 1, 1.0 / ranks
        self.sum_over_ranks = ops.AllReduce() if self.grouped else None
        self.each = ops.HyperMap()

    def construct(self, updated):
        if self.may_skip:
            self.each(ops.partial(self.settle, updated), self.statistics, self.former)
        else:
            self.each(self.average, self.statistics)
        return updated

    def average(self, statistic):
        return ops.assign(statistic, self.sum_over_ranks(statistic) * self.share)

    def settle(self, updated, statistic, former):
        current = self.sum_over_ranks(statistic) * self.share if self.grouped else statistic
        current = ops.select(updated, current, former)
        ops.assign(former, current)
        return ops.assign(statistic, current)
