"""Trouble is told once when it begins, and ordinary noisy training is none."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs.metrics import Counted, Metric, Step
from launcher.logs.trouble import Health, Sign
from launcher.runs.events import Trouble


def episodes(steps: Iterable[Step], arrivals: Callable[[int], float] | None = None) -> list[Sign]:
    """The signs that begin while these steps come."""
    health, begun = Health(), []
    for number, step in enumerate(steps, start=1):
        before = health.signs
        arrived = None if arrivals is None else arrivals(number)
        health = health.after(step, offset=number, line=b"line %d" % number, done=number, arrived=arrived)
        begun += [sign for kind, sign in health.signs.items() if kind not in before]
    return begun


def with_values(metric: Metric, values: Iterable[float], *, repeats: bool = False) -> list[Step]:
    return [Step(counted=Counted.TRAINING, values={metric: value}, repeats=repeats) for value in values]


def losses(values: Iterable[float]) -> list[Step]:
    return with_values(Metric.LOSS, values)


def kinds(signs: Iterable[Sign]) -> list[Trouble]:
    return [sign.kind for sign in signs]


def falling(count: int, noise: float, rng: random.Random, start: float = 10.0, floor: float = 2.0) -> list[float]:
    """What a loss does: it falls, ever more slowly, with noise in proportion."""
    level = (floor + (start - floor) * math.exp(-step / (count / 5)) for step in range(count))
    return [value * (1 + rng.gauss(0, noise)) for value in level]


CURVES: dict[str, Callable[[random.Random], list[float]]] = {
    "falls": lambda rng: falling(600, 0.05, rng),
    "falls to almost nothing": lambda rng: falling(600, 0.3, rng, start=2.3, floor=1e-4),
    "falls with a lot of noise": lambda rng: falling(600, 0.4, rng),
    "has spikes": lambda rng: [value * (8 if rng.random() < 0.03 else 1) for value in falling(600, 0.1, rng)],
    "has heavy tails": lambda rng: [rng.lognormvariate(0, 1) for _ in range(600)],
    "goes around zero": lambda rng: [rng.gauss(0, 1) for _ in range(600)],
    "is negative": lambda rng: [-value for value in falling(600, 0.1, rng)],
    "rises slowly": lambda rng: [0.7 * (1 + step / 60) * (1 + rng.gauss(0, 0.2)) for step in range(600)],
    "goes up and down with the learning rate": lambda rng: [
        (1.5 + math.sin(step / 40)) * (1 + rng.gauss(0, 0.1)) for step in range(600)
    ],
    "has fallen to what two digits show": lambda rng: [
        round(value, 2) for value in falling(600, 0.05, rng, start=2.3, floor=0.01)
    ],
    "fades away": lambda rng: [round(2.3 * math.exp(-step / 20), 4) for step in range(600)],
    "stays with the noise of four digits": lambda rng: [round(0.6931 + rng.gauss(0, 2e-4), 4) for _ in range(600)],
}


@pytest.mark.parametrize("name", CURVES)
@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_ordinary_training_is_no_trouble(name: str, seed: int) -> None:
    assert episodes(losses(CURVES[name](random.Random(seed)))) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_no_number_is_told_once_with_its_line(bad: float) -> None:
    (sign,) = episodes(losses([2.0, 1.9, bad, *[bad] * 100]))
    assert sign == Sign(Trouble.LOSS_NOT_FINITE, f"the loss is {bad}", 3, 3, b"line 3")


def test_single_steps_without_a_number_are_one_episode_and_later_ones_another() -> None:
    now_and_then = [math.nan if step % 5 == 0 else 1.0 + step / 1000 for step in range(100)]
    well_again = [1.0 + step / 1000 for step in range(30)]
    assert kinds(episodes(losses([*now_and_then, *well_again, math.nan]))) == [Trouble.LOSS_NOT_FINITE] * 2


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), noise=st.floats(0.001, 0.1), times=st.floats(4, 1e6))
def test_a_loss_that_explodes_is_told_once(seed: int, noise: float, times: float) -> None:
    rng = random.Random(seed)
    curve = falling(300, noise, rng)
    after = [curve[-1] * times * (1 + rng.gauss(0, noise)) for _ in range(100)]
    (sign,) = episodes(losses([*curve, *after]))
    assert sign.kind is Trouble.LOSS_EXPLODES
    assert sign.step is not None and 310 < sign.step <= 330


def test_a_loss_that_stands_still_is_told_once() -> None:
    curve = falling(100, 0.05, random.Random(0))
    (sign,) = episodes(losses([*curve, *[0.693147] * 200]))
    assert (sign.kind, sign.step) == (Trouble.LOSS_STANDS, 150)
    assert sign.words == "the loss has been 0.693147 in 50 step lines in a row"


def test_a_loss_that_drops_to_zero_stands_still() -> None:
    assert kinds(episodes(losses([2.3, 2.2, *[0.0] * 60]))) == [Trouble.LOSS_STANDS]
    assert kinds(episodes(losses([0.0] * 60))) == [Trouble.LOSS_STANDS]


def test_a_bar_that_repeats_its_loss_does_not_stand_still() -> None:
    assert episodes(with_values(Metric.LOSS, [0.693147] * 200, repeats=True)) == []
    assert kinds(episodes(with_values(Metric.LOSS, [math.nan] * 9, repeats=True))) == [Trouble.LOSS_NOT_FINITE]


def scaler(rng: random.Random, fits: float, steps: int, start: float = 2.0**32) -> list[float]:
    """A dynamic loss scale: halved at each overflow, doubled after 100 steps without one."""
    scale, good, seen = start, 0, []
    for _ in range(steps):
        if scale > fits or rng.random() < 0.001:
            scale, good = scale / 2, 0
        else:
            good += 1
            if good == 100:
                scale, good = scale * 2, 0
        seen.append(scale)
    return seen


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), fits=st.sampled_from([2.0**power for power in range(3, 25)]))
def test_a_loss_scale_that_looks_for_its_place_is_no_trouble(seed: int, fits: float) -> None:
    assert episodes(with_values(Metric.LOSS_SCALE, scaler(random.Random(seed), fits, 2000))) == []


def test_a_loss_scale_that_only_falls_is_told_once() -> None:
    ordinary = scaler(random.Random(1), 2.0**15, 1000)
    falls = [ordinary[-1] / 2**fall for fall in range(1, 30)]
    (sign,) = episodes(with_values(Metric.LOSS_SCALE, [*ordinary, *falls]))
    assert sign.kind is Trouble.SCALE_FALLS
    assert sign.step is not None and sign.step <= 1010


def test_a_loss_scale_that_falls_to_one_at_the_start_is_told() -> None:
    falls = [65536.0 / 2**fall for fall in range(17)]
    (sign,) = episodes(with_values(Metric.LOSS_SCALE, falls))
    assert sign.words == "the loss scale has only fallen, from 65536 to 1"


def test_a_loss_scale_of_one_that_never_changes_is_no_trouble() -> None:
    assert episodes(with_values(Metric.LOSS_SCALE, [1.0] * 100)) == []


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), noise=st.floats(0, 0.3))
def test_a_step_time_with_noise_and_single_slow_steps_is_no_trouble(seed: int, noise: float) -> None:
    rng = random.Random(seed)
    times = [60.0, *(abs(rng.gauss(1, noise)) + 0.01 + 9 * (step % 20 == 0) for step in range(600))]
    assert episodes(with_values(Metric.STEP_SECONDS, times)) == []


def test_a_step_time_that_jumps_is_told_once_per_episode() -> None:
    rng = random.Random(3)

    def around(seconds: float) -> list[float]:
        return [seconds * (1 + rng.gauss(0, 0.05)) for _ in range(100)]

    signs = episodes(with_values(Metric.STEP_SECONDS, [*around(1), *around(3), *around(1), *around(1), *around(1)]))
    (sign,) = signs
    assert sign.kind is Trouble.STEPS_SLOWER
    assert sign.step is not None and 100 < sign.step <= 120
    again = episodes(with_values(Metric.STEP_SECONDS, [*around(1), *around(3), *around(1), *around(1), *around(4)]))
    assert kinds(again) == [Trouble.STEPS_SLOWER] * 2


def test_a_step_time_that_nobody_tells_is_measured_as_lines_arrive() -> None:
    steps = losses([2 - number / 1000 for number in range(200)])
    assert episodes(steps, float) == []
    (sign,) = episodes(steps, lambda number: float(number if number <= 100 else 100 + (number - 100) * 5))
    assert sign.kind is Trouble.STEPS_SLOWER


def test_a_time_in_which_nobody_looked_is_no_step_time() -> None:
    health = Health().after(losses([1.0])[0], 0, b"", 1, 100.0).unseen()
    assert health.after(losses([1.0])[0], 0, b"", 2, 10_000.0).pace == health.pace
