"""Steps are counted from the start of training, however a script counts them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from launcher.logs.metrics import Counted, Length, Metric, Step
from launcher.logs.odometer import Odometer, lengthened, turned

LOSS = {Metric.LOSS: 1.0}


def after(*seen: Step) -> Odometer:
    odometer = Odometer()
    for step in seen:
        odometer = turned(odometer, step)
    return odometer


def bar(done: int, total: int, counted: Counted = Counted.NAMELESS_BAR, loss: float | None = None) -> Step:
    return Step(done, total, counted=counted, values={} if loss is None else {Metric.LOSS: loss})


@given(
    st.integers(1, 6),
    st.integers(1, 30),
    st.integers(1, 7),
    st.sampled_from([0, 1]),
    st.booleans(),
    st.sampled_from([Counted.EPOCH, Counted.EITHER]),
)
def test_steps_within_epochs_add_up(
    epochs: int, steps: int, every: int, first: int, tells: bool, counted: Counted
) -> None:
    odometer, before = Odometer(), 0
    per_epoch = steps * every
    for epoch in range(epochs):
        for step in range(every, per_epoch + 1, every):
            seen = Step(step, per_epoch if tells else None, epoch + first, counted=counted, values=LOSS)
            odometer = turned(odometer, seen)
            done = odometer.done()
            if tells or steps > 1 or counted is Counted.EPOCH:
                assert done == epoch * per_epoch + step
            assert done is not None and done >= before
            before = done


def test_steps_that_go_on_over_epochs_are_counted_once() -> None:
    lines = [Step(step, epoch=step // 100 + 1, counted=Counted.EITHER, values=LOSS) for step in range(10, 500, 10)]
    assert after(*lines).done() == 490


def test_an_epoch_that_was_never_seen_from_its_start_cannot_be_counted() -> None:
    assert after(Step(5, epoch=3, values=LOSS)).done() is None


def test_a_bar_without_a_name_is_followed_but_trusted_only_with_a_loss() -> None:
    odometer = after(bar(0, 400), bar(7, 400))
    assert (odometer.done(), odometer.total, odometer.trains) == (7, 400, False)
    reported = turned(odometer, Step(epoch=0.1, counted=Counted.TRAINING, values=LOSS))
    assert (reported.done(), reported.trains) == (7, True)


def test_the_bar_of_an_evaluation_within_training_is_not_followed() -> None:
    assert after(bar(200, 400), bar(50, 50), bar(201, 400)).done() == 201
    assert after(bar(400, 400), bar(50, 50)).done() == 400


def test_a_short_bar_before_training_gives_way_to_that_of_training() -> None:
    assert after(bar(3, 3), bar(1, 400)).done() == 1


def test_a_bar_with_a_name_is_better_than_one_without() -> None:
    assert after(bar(3, 1000), bar(1, 400, Counted.BAR, 0.5), bar(4, 1000)).done() == 1


def test_a_bar_that_begins_again_goes_on_counting() -> None:
    odometer = after(bar(100, 100), bar(0, 100), bar(30, 100))
    assert (odometer.done(), odometer.total) == (130, None)


def test_a_bar_in_which_nothing_is_done_is_no_step() -> None:
    assert not after(bar(0, 100, Counted.BAR)).trains


def test_the_part_of_the_epochs_tells_the_step_where_their_number_is_known() -> None:
    odometer = lengthened(lengthened(Odometer(), Length(epochs=4)), Length(steps=400))
    odometer = turned(odometer, Step(epoch=1.5, counted=Counted.TRAINING, values=LOSS))
    assert (odometer.done(), odometer.total) == (150, 400)
