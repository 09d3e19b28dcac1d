"""How many steps there are, in loops that come out even."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cifar_cnn.options import Options
from cifar_cnn.steps import Steps, count_steps, step_of
from hypothesis import given
from hypothesis import strategies as st
from training.errors import RecipeError


def count(images: int, ranks: int, **options: Any) -> Steps:
    return count_steps(Options(**{"checkpoint_every": options.get("iterations_per_loop", 1), **options}), images, ranks)


@given(
    images=st.integers(1, 60000),
    ranks=st.integers(1, 64),
    batch=st.integers(1, 256),
    epochs=st.integers(1, 200),
    loop=st.integers(1, 500),
)
def test_loops_on_the_device_come_out_even_or_a_size_that_fits_is_told(
    images: int, ranks: int, batch: int, epochs: int, loop: int
) -> None:
    options: dict[str, Any] = {"batch_size": batch, "epochs": epochs}
    try:
        steps = count(images, ranks, iterations_per_loop=loop, **options)
    except RecipeError as error:
        if "training images, but one step takes" in str(error):
            assert images < batch * ranks
            return
        fitting = int(str(error).rpartition(" ")[2])
        assert 1 <= fitting < loop
        steps = count(images, ranks, iterations_per_loop=fitting, **options)
        assert steps.total % fitting == 0
    else:
        assert steps.total % loop == 0
    assert steps.per_epoch * batch * ranks <= images < (steps.per_epoch + 1) * batch * ranks
    assert (steps.total, steps.done) == (steps.per_epoch * epochs, 0)


def test_the_full_size_recipe_does_an_epoch_in_a_loop() -> None:
    options = {"batch_size": 128, "epochs": 180, "iterations_per_loop": 48, "checkpoint_every": 480}
    assert count(50000, 8, **options) == Steps(per_epoch=48, total=8640, done=0)


def test_checkpoints_fall_on_the_end_of_a_loop() -> None:
    with pytest.raises(RecipeError, match="--checkpoint_every=100: expected a multiple of --iterations_per_loop=48"):
        count(50000, 8, iterations_per_loop=48, checkpoint_every=100)


def test_a_checkpoint_has_its_steps_behind_it(tmp_path: Path) -> None:
    index = tmp_path / "model.ckpt-12.index"
    index.touch()
    assert count(640, 1, batch_size=64, epochs=2, resume_from=str(index)) == Steps(per_epoch=10, total=20, done=12)
    assert step_of("/elsewhere/model.ckpt-0.index") == 0


@pytest.mark.parametrize("name", ["model.ckpt-12.meta", "checkpoint", "model.ckpt-x.index", "step_00000012.ckpt"])
def test_a_checkpoint_of_another_kind_is_told_from_its_name(name: str) -> None:
    with pytest.raises(RecipeError, match=r"expected a file named model\.ckpt-<step>\.index"):
        step_of(f"/checkpoints/{name}")
