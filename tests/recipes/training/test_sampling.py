import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training.errors import RecipeError
from training.sampling import Sampling, evaluation_share


@st.composite
def samplings(draw):
    batch, ranks, accumulation = draw(st.integers(1, 5)), draw(st.integers(1, 9)), draw(st.integers(1, 4))
    images = draw(st.integers(batch * ranks * accumulation, 500))
    return Sampling(images, batch, ranks, accumulation, seed=draw(st.integers(0, 99)))


def drawn(sampling, epoch, rank, first_step=0):
    return [image for batch in sampling.micro_batches(epoch, rank, first_step) for image in batch]


@given(samplings(), st.integers(1, 9))
def test_no_image_is_drawn_by_two_ranks(sampling, epoch):
    images = [image for rank in range(sampling.ranks) for image in drawn(sampling, epoch, rank)]
    assert len(images) == len(set(images))


@given(samplings(), st.integers(1, 9))
def test_an_epoch_draws_every_image_but_those_short_of_a_full_step(sampling, epoch):
    images = [image for rank in range(sampling.ranks) for image in drawn(sampling, epoch, rank)]
    assert set(images) <= set(range(sampling.images))
    assert sampling.images - len(images) < sampling.images_per_step


@given(samplings(), st.integers(1, 9))
def test_every_rank_draws_full_micro_batches_and_equally_many(sampling, epoch):
    for rank in range(sampling.ranks):
        batches = sampling.micro_batches(epoch, rank)
        assert [len(batch) for batch in batches] == [sampling.batch_size] * (
            sampling.steps_per_epoch * sampling.accumulation
        )


@given(samplings(), st.data())
def test_a_run_resumed_within_an_epoch_draws_the_rest_of_it(sampling, data):
    step = data.draw(st.integers(0, sampling.steps_per_epoch - 1))
    whole = drawn(sampling, epoch=1, rank=0)
    assert drawn(sampling, 1, 0, first_step=step) == whole[step * sampling.accumulation * sampling.batch_size :]


@given(samplings(), st.data())
def test_ranks_are_dealt_their_micro_batches(sampling, data):
    first = data.draw(st.integers(0, sampling.steps_per_epoch))
    dealt = sampling.dealt(1, first)
    for rank in range(sampling.ranks):
        assert list(dealt[rank :: sampling.ranks]) == drawn(sampling, 1, rank, first)


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_a_step_holds_the_same_images_however_ranks_and_micro_batches_share_it(batch, ranks, accumulation, seed):
    images_per_step = batch * ranks * accumulation
    split = Sampling(5 * images_per_step, batch, ranks, accumulation, seed)
    alone = Sampling(5 * images_per_step, images_per_step, 1, 1, seed)
    for step in range(5):
        shared = [
            image
            for rank in range(ranks)
            for micro in split.micro_batches(1, rank, step)[:accumulation]
            for image in micro
        ]
        assert sorted(shared) == sorted(alone.micro_batches(1, 0, step)[0])


def test_epochs_differ_in_order():
    sampling = Sampling(100, 10, 1, 1, seed=1)
    assert not np.array_equal(sampling.order(1), sampling.order(2))


def test_fewer_images_than_one_step_takes_are_refused():
    with pytest.raises(
        RecipeError, match=r"5 training images, but one step takes 64 \(8 ranks x 2 micro-batches x 4\)"
    ):
        Sampling(5, batch_size=4, ranks=8, accumulation=2, seed=1)


@given(st.integers(0, 300), st.integers(1, 9))
def test_every_evaluation_image_goes_to_exactly_one_rank(images, ranks):
    shares = [image for rank in range(ranks) for image in evaluation_share(images, rank, ranks)]
    assert sorted(shares) == list(range(images))
