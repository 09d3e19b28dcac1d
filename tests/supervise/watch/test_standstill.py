"""What counts as a standstill, and which of them ends an attempt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from launcher.specs import Hang, HangPolicy
from launcher.supervise.watch.processor import Use
from launcher.supervise.watch.standstill import Pulse, Signs, Verdict, feel, judge, wants_use

AUTO = Hang(seconds=60, first_step=1800)
STOP = Hang(policy=HangPolicy.STOP, seconds=60, first_step=1800)
REPORT = Hang(policy=HangPolicy.REPORT, seconds=60)
OFF = Hang(policy=HangPolicy.OFF, seconds=60)


class Ranks:
    """Ranks as a watch sees them: once a second, from second 0 on."""

    def __init__(self, hang: Hang = AUTO, *, cores: Sequence[float] = (0, 0, 0, 0), can_stop: bool = True) -> None:
        self.hang, self.cores, self.can_stop = hang, cores, can_stop
        self.held: frozenset[int] = frozenset()
        self.now = 0
        self.used = dict.fromkeys(range(4), 0.0)
        self.pulse = Pulse.start(0, 0)
        self.verdicts: list[tuple[int, Verdict]] = []
        self.measured = 0

    def until(self, second: int, *, steps: Iterable[int] = (), grows: bool = False, marked: Iterable[int] = ()) -> None:
        """Let time pass; a step line comes in each of these seconds."""
        while self.now < second:
            self.now += 1
            self.used = {rank: used + self.cores[rank] for rank, used in self.used.items()}
            stepped = self.now if self.now in steps else None
            grew = self.now if grows or stepped or self.now in marked else None
            told = dict.fromkeys(self.used, float(self.now)) if stepped else {}
            self.pulse = feel(self.pulse, Signs(stepped, self.now if self.now in marked else None, grew, steps=told))
            if wants_use(self.pulse, self.hang, self.now):
                self.measured += 1
                self.pulse = feel(self.pulse, Signs(use=Use(self.now, self.used, held=self.held)))
            verdict = judge(self.pulse, self.hang, self.now, can_stop=self.can_stop)
            if verdict is not None:
                self.verdicts.append((self.now, verdict))

    @property
    def first(self) -> tuple[int, Verdict] | None:
        return self.verdicts[0] if self.verdicts else None


def test_ranks_that_step_and_then_do_nothing_are_to_be_stopped() -> None:
    ranks = Ranks()
    ranks.until(100, steps=range(10, 21))
    assert ranks.first == (80, Verdict(since=20, limit=60, fatal=True))


def test_with_slow_steps_three_times_their_usual_time_is_waited() -> None:
    ranks = Ranks()
    ranks.until(99, grows=True)
    ranks.until(1000, steps=(100, 200, 300, 400))
    assert ranks.first == (700, Verdict(since=400, limit=300, fatal=True))


def test_until_a_second_step_has_come_the_first_one_says_how_long_a_step_may_take() -> None:
    ranks = Ranks()
    ranks.until(399, grows=True)
    ranks.until(2000, steps=(400,))
    assert ranks.first == (1600, Verdict(since=400, limit=1200, fatal=True))


def test_ranks_that_tell_the_same_step_some_time_apart_have_the_time_of_a_step_as_their_usual_one() -> None:
    pulse = Pulse.start(0, 0)
    for step in range(1, 10):
        for at, rank in ((90 * step, 0), (90 * step + 2.4, 1)):
            pulse = feel(pulse, Signs(stepped=at, grew=at, steps={rank: at}))
    assert pulse.limit(AUTO) == 3 * 90


def test_lines_that_were_there_already_do_not_say_how_long_a_step_takes() -> None:
    pulse = feel(Pulse.start(0, 1000), Signs(stepped=999, grew=999))
    pulse = feel(pulse, Signs(stepped=1001, grew=1001, steps={0: 1001}))
    assert pulse.limit(AUTO) == 3 * 1001
    assert feel(pulse, Signs(stepped=1091, grew=1091, steps={0: 1091})).limit(AUTO) == 3 * 90


@pytest.mark.parametrize("jump", [100_000, -65])
def test_a_time_in_which_nobody_looked_counts_for_nothing(jump: int) -> None:
    ranks = Ranks()
    ranks.until(70, steps=range(10, 21))
    ranks.pulse, ranks.now = ranks.pulse.anew(70 + jump, jump), 70 + jump
    ranks.until(70 + jump + 200)
    assert ranks.first == (70 + jump + 60, Verdict(since=70 + jump, limit=60, fatal=True))


def test_a_compilation_before_the_first_step_is_let_alone_while_it_computes() -> None:
    ranks = Ranks(STOP, cores=(1, 0, 0, 0))
    ranks.until(3000)
    assert ranks.verdicts == []


def test_silent_idle_ranks_without_a_step_are_reported_and_not_stopped() -> None:
    ranks = Ranks()
    ranks.until(3000)
    assert ranks.first is not None
    second, _ = ranks.first
    assert 60 <= second <= 90
    assert not any(verdict.fatal for _, verdict in ranks.verdicts)


def test_a_recipe_that_says_stop_allows_for_the_compilation_of_the_first_step() -> None:
    ranks = Ranks(STOP)
    ranks.until(2000)
    assert min(second for second, verdict in ranks.verdicts if verdict.fatal) == 1800


def test_without_step_lines_a_growing_log_is_progress() -> None:
    ranks = Ranks()
    ranks.until(500, grows=True)
    assert ranks.verdicts == []


@pytest.mark.parametrize("cores", [(1, 1, 1, 1), (1, 0, 0, 0), (1, 1, 0, 0)])
def test_an_evaluation_that_computes_in_silence_is_reported_and_not_stopped(cores: Sequence[float]) -> None:
    ranks = Ranks(cores=cores)
    ranks.until(600, steps=range(1, 21))
    assert ranks.first == (80, Verdict(since=20, limit=60, fatal=False))
    assert not any(verdict.fatal for _, verdict in ranks.verdicts)


def test_lines_that_say_nothing_of_training_do_not_hide_a_standstill_but_keep_ranks_from_being_stopped() -> None:
    ranks = Ranks()
    ranks.until(20, steps=range(1, 21))
    ranks.until(200, grows=True)
    assert ranks.first == (80, Verdict(since=20, limit=60, fatal=False))
    ranks.until(300)
    assert ranks.verdicts[-1][1].fatal


def test_metrics_and_checkpoints_are_progress() -> None:
    ranks = Ranks()
    ranks.until(300, steps=range(1, 21), marked=range(20, 300, 50))
    assert ranks.verdicts == []


def test_a_rank_that_is_held_cannot_come_on_however_busy_the_others_are() -> None:
    ranks = Ranks(cores=(1, 1, 1, 0))
    ranks.until(20, steps=range(1, 21))
    ranks.held = frozenset({3})
    ranks.until(100)
    assert ranks.first == (80, Verdict(since=20, limit=60, fatal=True))


def test_the_few_idle_ranks_are_what_the_busy_ones_wait_for() -> None:
    ranks = Ranks(cores=(0.4, 0.4, 0, 0.4))
    ranks.until(100, steps=range(1, 21))
    assert ranks.first == (80, Verdict(since=20, limit=60, fatal=True))


def test_a_rank_that_writes_a_checkpoint_is_at_work() -> None:
    before = Use(0, dict.fromkeys(range(2), 0.0), {0: 0, 1: 0})
    after = Use(10, dict.fromkeys(range(2), 0.0), {0: 50_000_000, 1: 0})
    pulse = feel(Pulse.start(0, 0), Signs(stepped=0.5))
    assert feel(feel(pulse, Signs(use=before)), Signs(use=after)).stirred == 10


def test_the_recipe_decides_what_a_standstill_means() -> None:
    for hang, fatal in ((STOP, True), (REPORT, False)):
        ranks = Ranks(hang, cores=(1, 1, 1, 1) if hang is STOP else (0, 0, 0, 0))
        ranks.until(100, steps=range(1, 21))
        assert ranks.first == (80, Verdict(since=20, limit=60, fatal=fatal))
    ranks = Ranks(OFF)
    ranks.until(1000, steps=range(1, 21))
    assert ranks.verdicts == []
    assert ranks.measured == 0


def test_ranks_that_form_no_gang_are_not_stopped() -> None:
    ranks = Ranks(STOP, can_stop=False)
    ranks.until(100, steps=range(1, 21))
    assert ranks.first == (80, Verdict(since=20, limit=60, fatal=False))


def test_ranks_that_come_on_again_have_a_new_standstill_later() -> None:
    ranks = Ranks()
    ranks.until(300, steps=(*range(1, 21), *range(150, 160)))
    assert {verdict.since for _, verdict in ranks.verdicts} == {20, 159}


def test_a_watch_that_begins_in_the_middle_waits_half_the_limit_before_it_judges() -> None:
    pulse = feel(Pulse.start(0, 1000), Signs(stepped=900, grew=900))
    for now in range(1000, 1030):
        assert judge(pulse, AUTO, now, can_stop=True) is None


def test_ranks_that_train_are_never_measured_and_silent_ones_ever_more_rarely() -> None:
    training = Ranks()
    training.until(1000, steps=range(1, 1001))
    assert training.measured == 0
    silent = Ranks()
    silent.until(36_000)
    assert silent.measured < 100


@given(
    gap=st.integers(1, 400),
    steps=st.integers(2, 20),
    cores=st.sampled_from([(0, 0, 0, 0), (0.01, 0, 0, 0), (1, 1, 1, 1)]),
    policy=st.sampled_from([HangPolicy.AUTO, HangPolicy.STOP, HangPolicy.REPORT]),
)
def test_steady_steps_are_never_a_standstill(gap: int, steps: int, cores: Sequence[float], policy: HangPolicy) -> None:
    ranks = Ranks(Hang(seconds=1, first_step=10_000, policy=policy), cores=cores)
    first = 5
    ranks.until(first, grows=True)
    ranks.pulse = feel(ranks.pulse, Signs(stepped=first, grew=first, steps={0: first}))
    ranks.pulse = feel(ranks.pulse, Signs(stepped=first + gap, grew=first + gap, steps={0: first + gap}))
    ranks.now = first + gap
    ranks.until(first + gap * steps, steps=range(first, first + gap * steps + 1, gap))
    assert ranks.verdicts == []


@given(stopped_at=st.integers(3, 50), gap=st.integers(1, 30))
def test_every_real_standstill_is_found_in_time(stopped_at: int, gap: int) -> None:
    ranks = Ranks()
    last = stopped_at * gap
    ranks.until(last + 1000, steps=range(gap, last + 1, gap))
    assert ranks.first is not None
    second, verdict = ranks.first
    assert verdict == Verdict(since=last, limit=max(60, 3 * gap), fatal=True)
    assert verdict.limit <= second - last <= verdict.limit * 1.3
