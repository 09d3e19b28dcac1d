"""Progress is a fold over observations."""

import math

from launcher.logs.metrics import (
    CheckpointSaved,
    EpochTime,
    Evaluation,
    Metric,
    Resumed,
    Step,
    TrainingSize,
    Weights,
)
from launcher.logs.progress import RankProgress, advance, overall, weights_agreement

SIZE = TrainingSize(epochs=2, steps_per_epoch=20, batch_per_rank=4, ranks=8)


def stepped(epoch: int, step: int, loss: float) -> Step:
    return Step(step, epoch=epoch, values={Metric.LOSS: loss})


def after(*seen: object) -> RankProgress:
    progress = RankProgress()
    for item in seen:
        time, value = item if isinstance(item, tuple) else (None, item)
        progress = advance(progress, value, time)
    return progress


def test_steps_count_over_epochs() -> None:
    assert after(SIZE, stepped(2, 5, 1.0)).steps_done == 25
    assert after(SIZE).steps_done == 0


def test_without_the_size_steps_of_a_later_epoch_cannot_be_counted() -> None:
    assert after(stepped(1, 5, 1.0)).steps_done == 5
    assert after(stepped(2, 5, 1.0)).steps_done is None


def test_a_resumed_rank_begins_where_it_resumed() -> None:
    progress = after(SIZE, Resumed("/x.ckpt", 20))
    assert progress.steps_done == 20
    assert overall({0: progress}).fraction == 0.5


def test_a_checkpoint_tells_the_step_when_no_loss_does() -> None:
    assert after(SIZE, CheckpointSaved("/x.ckpt", 30)).steps_done == 30


def test_first_and_last_loss_are_kept() -> None:
    progress = after(stepped(1, 1, 2.5), stepped(1, 2, math.nan), stepped(1, 3, 0.5))
    assert (progress.first_loss, progress.last_loss) == (2.5, 0.5)


def test_the_step_time_is_the_median_so_that_one_slow_step_does_not_count() -> None:
    steps = [(float(time), stepped(1, step, 1.0)) for step, time in enumerate((0, 1, 2, 50, 51, 52), start=1)]
    assert after(SIZE, *steps).step_seconds == 1.0


def test_steps_that_were_read_together_share_the_time_between_reads() -> None:
    steps = [(0.0, stepped(1, 1, 1.0)), (4.0, stepped(1, 2, 1.0)), (4.0, stepped(1, 5, 1.0))]
    assert after(SIZE, *steps).step_seconds == 1.0


def test_old_lines_say_nothing_about_the_pace_so_the_script_is_believed() -> None:
    assert after(SIZE, stepped(1, 1, 1.0), EpochTime("train", 2.0, 0.1)).step_seconds == 0.1
    assert after(EpochTime("eval", 2.0, 0.7)).step_seconds is None


def test_a_run_is_as_far_as_its_slowest_rank() -> None:
    fast = after(SIZE, (0.0, stepped(1, 19, 1.0)), (1.0, stepped(1, 20, 1.0)))
    slow = after(SIZE, (0.0, stepped(1, 9, 1.0)), (2.0, stepped(1, 10, 1.0)))
    run = overall({0: fast, 1: slow, 2: RankProgress()})
    assert (run.slowest, run.steps_done, run.fraction, run.eta_seconds) == (1, 10, 0.25, 60.0)


def test_a_run_whose_lines_say_nothing_has_no_progress() -> None:
    run = overall({0: RankProgress()})
    assert run.fraction is None
    assert run.eta_seconds is None
    assert overall({}).slowest is None


def test_progress_never_exceeds_the_whole() -> None:
    assert overall({0: after(SIZE, stepped(9, 9, 1.0))}).fraction == 1.0


def test_evaluations_are_kept_in_order() -> None:
    progress = after(Evaluation(1, {"mIoU": 0.1}), Evaluation(2, {"mIoU": 0.6}))
    assert [seen.metrics["mIoU"] for seen in progress.evaluations] == [0.1, 0.6]


def test_weights_agree_when_all_digests_are_the_same() -> None:
    agreement = weights_agreement({rank: after(Weights("a" * 64, 40)) for rank in range(8)})
    assert agreement is not None
    assert agreement.identical
    assert agreement.groups == (("a" * 64, tuple(range(8))),)


def test_digests_of_different_steps_are_not_compared() -> None:
    agreement = weights_agreement({0: after(Weights("a" * 64, 40)), 1: after(Weights("b" * 64, 20))})
    assert agreement is not None
    assert agreement.identical
    assert agreement.groups == (("a" * 64, (0,)),)
    assert weights_agreement({0: RankProgress()}) is None
