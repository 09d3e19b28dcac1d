import pytest
from training.loop import Loop, LossNotFinite
from training.options import TrainingOptions


class Written(Loop):
    """A run that writes down what it is asked to do, and whose loss is no number at step `fails_at`."""

    def __init__(self, steps_per_epoch=4, fails_at=0, **options):
        super().__init__(TrainingOptions(checkpoint_dir="kept", **options), steps_per_epoch, ranks=1)
        self.done = []
        self.fails_at = fails_at

    def steps(self, epoch, first, until):
        for step in range(first, until):
            if self.step + 1 == self.fails_at:
                raise LossNotFinite("nan")
            self.done.append((epoch, step))
            yield

    def evaluate(self, epoch):
        self.done.append(f"evaluated {epoch}")

    def save(self):
        self.done.append(f"saved {self.step}")

    def weights_hash(self):
        return "0" * 64


def test_a_run_is_its_epochs_with_evaluations_between_and_a_checkpoint_at_the_end():
    run = Written(steps_per_epoch=2, epochs=2, checkpoint_every=0)
    run.to_the_end()
    assert run.done == [(1, 0), (1, 1), "evaluated 1", (2, 0), (2, 1), "saved 4", "evaluated 2"]


def test_a_run_that_stops_and_goes_on_does_what_one_in_one_go_does():
    whole = Written(epochs=3, checkpoint_every=3)
    whole.to_the_end()
    for stop in range(1, whole.last_step):
        part, rest = Written(epochs=3, checkpoint_every=3, stop_at_step=stop), Written(epochs=3, checkpoint_every=3)
        part.to_the_end()
        assert part.done[-1] in (f"saved {stop}", f"evaluated {stop // 4}")
        rest.step = stop
        rest.to_the_end()
        extra = [f"saved {stop}"] if stop % 3 else []
        assert sorted(map(str, part.done + rest.done)) == sorted(map(str, whole.done + extra))


def test_evaluations_come_as_often_as_asked_for_and_after_the_last_epoch():
    for every, expected in ((0, [5]), (1, [1, 2, 3, 4, 5]), (2, [2, 4, 5])):
        run = Written(epochs=5, eval_every=every)
        run.to_the_end()
        assert [each for each in run.done if "evaluated" in str(each)] == [f"evaluated {epoch}" for epoch in expected]


def test_an_overflow_is_skipped_until_a_scale_of_1_has_been_tried(capsys):
    run = Written()
    run.skip(1, 7, tried=4.0, next_scale=2.0)
    run.skip(1, 8, tried=2.0, next_scale=1.0)
    assert capsys.readouterr().out.splitlines() == [
        "epoch: 1 step: 7, overflow, step skipped, loss scale is 2.0, skipped so far: 1",
        "epoch: 1 step: 8, overflow, step skipped, loss scale is 1.0, skipped so far: 2",
    ]
    for tried in (1.0, 0.5):
        with pytest.raises(LossNotFinite, match="In epoch: 1 step: 9, loss is NAN or INF"):
            run.skip(1, 9, tried, next_scale=0.5)
    assert run.skipped == 2


def test_nothing_is_saved_of_a_step_whose_loss_is_no_number():
    run = Written(epochs=1, fails_at=3, checkpoint_every=1)
    with pytest.raises(LossNotFinite):
        run.to_the_end()
    assert run.done == [(1, 0), "saved 1", (1, 1), "saved 2"]
