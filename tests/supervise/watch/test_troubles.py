"""The record is told of trouble once, for all ranks together, whoever watches."""

from __future__ import annotations

from launcher.logs.trouble import Health, Sign
from launcher.runs.events import Trouble, TroubleFound
from launcher.supervise.watch.sampling import Look
from launcher.supervise.watch.troubles import Troubles

SIGN = Sign(Trouble.LOSS_NOT_FINITE, "the loss is nan", 7, 120, b"step 7 \x1b[1mloss nan\n")
ILL, WELL = Health(signs={SIGN.kind: SIGN}), Health()
TOLD = TroubleFound(
    time=5,
    attempt=2,
    rank=1,
    kind=Trouble.LOSS_NOT_FINITE,
    words="the loss is nan",
    step=7,
    offset=120,
    line="step 7 loss nan",
)


def look(rank: int, *, is_first: bool = False) -> Look:
    return Look(rank, 5, stepped=True, marked=True, is_first=is_first, signs=(SIGN,))


def test_of_ranks_that_show_the_same_the_first_is_told() -> None:
    troubles = Troubles()
    troubles.take_in([look(1), look(3)], [ILL, ILL])
    assert troubles.to_tell(2, []) == [TOLD]
    troubles.take_in([look(0)], [ILL, ILL, ILL])
    assert troubles.to_tell(2, [TOLD]) == []


def test_a_new_episode_is_told_again_when_all_ranks_had_been_well() -> None:
    troubles = Troubles()
    troubles.take_in([look(1)], [ILL])
    troubles.to_tell(2, [])
    troubles.take_in([], [WELL])
    troubles.take_in([look(1)], [ILL])
    assert troubles.to_tell(2, [TOLD]) == [TOLD]


def test_what_another_supervisor_has_told_is_not_told_again_at_the_first_look() -> None:
    troubles = Troubles()
    troubles.take_in([look(1, is_first=True)], [ILL])
    assert troubles.to_tell(2, [TOLD]) == []
    troubles = Troubles()
    troubles.take_in([look(1, is_first=True)], [ILL])
    assert troubles.to_tell(2, [TOLD.model_copy(update={"attempt": 1})]) == [TOLD]


def test_trouble_that_comes_and_goes_does_not_fill_the_record() -> None:
    troubles, told = Troubles(), []
    for _ in range(100):
        troubles.take_in([look(1)], [ILL])
        told += troubles.to_tell(2, told)
        troubles.take_in([], [WELL])
    assert len(told) == 20
