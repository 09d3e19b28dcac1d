"""What goes is what is oldest, what failed keeps its errors longest, and what is held stays."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.logs.keeping.deciding import Action, Decision, KeptRun, decide
from launcher.logs.keeping.limits import Keep

DAY = 86400.0
NOW = 1000 * DAY


def run(
    id: str,
    days: float,
    size: int = 100,
    *,
    failed: bool = False,
    cut: int = 10,
    lost: bool = False,
    held: str | None = None,
) -> KeptRun:
    return KeptRun(id, size, cut if failed else size, NOW - days * DAY, failed, lost, held)


def actions(decisions: Sequence[Decision]) -> dict[str, Action]:
    return {decision.run: decision.action for decision in decisions}


def test_a_run_goes_when_it_is_too_old() -> None:
    decided = decide([run("old", 91), run("young", 89)], Keep(None, 90 * DAY), NOW)
    assert actions(decided) == {"old": Action.REMOVE}
    assert decided[0].frees == 100


def test_a_failed_run_is_cut_first_and_goes_at_twice_the_age() -> None:
    decided = decide([run("older", 181, failed=True), run("old", 91, failed=True)], Keep(None, 90 * DAY), NOW)
    assert actions(decided) == {"older": Action.REMOVE, "old": Action.CUT}


def test_a_failed_run_that_is_cut_already_is_left_alone() -> None:
    assert decide([run("old", 91, 10, failed=True)], Keep(None, 90 * DAY), NOW) == ()


def test_the_oldest_go_until_the_others_fit() -> None:
    runs = [run("c", 1), run("a", 3), run("b", 2)]
    assert actions(decide(runs, Keep(200, None), NOW)) == {"a": Action.REMOVE}


def test_for_want_of_room_failed_runs_are_cut_before_any_of_them_goes() -> None:
    runs = [run("a", 3, failed=True), run("b", 2), run("c", 1, failed=True)]
    assert actions(decide(runs, Keep(120, None), NOW)) == {"a": Action.CUT, "b": Action.REMOVE}
    assert actions(decide(runs, Keep(20, None), NOW)) == {"a": Action.CUT, "b": Action.REMOVE, "c": Action.CUT}
    assert actions(decide(runs, Keep(15, None), NOW))["a"] is Action.REMOVE


def test_a_run_that_is_held_counts_and_stays() -> None:
    runs = [run("held", 400, held="it is alive"), run("old", 2), run("new", 1)]
    assert actions(decide(runs, Keep(200, 90 * DAY), NOW)) == {"old": Action.REMOVE}


def test_a_run_that_may_be_alive_elsewhere_does_not_go_for_want_of_room() -> None:
    assert decide([run("lost", 2, failed=True, lost=True)], Keep(0, None), NOW) == ()


def test_no_limits_keep_everything() -> None:
    assert decide([run("a", 10_000)], Keep(None, None), NOW) == ()


runs_strategy = st.lists(
    st.builds(
        lambda days, size, failed, held, lost, cut: (days, size, failed, held, lost, min(cut, size)),
        st.floats(0, 300), st.integers(0, 1000), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 1000),
    ),
    max_size=12,
).map(
    lambda rows: [
        KeptRun(str(n), size, cut if failed else size, NOW - days * DAY, failed, lost, "held" if held else None)
        for n, (days, size, failed, held, lost, cut) in enumerate(rows)
    ]
)  # fmt: skip
keeps = st.builds(Keep, st.none() | st.integers(0, 5000), st.none() | st.floats(0, 200 * DAY))


@settings(max_examples=50)
@given(runs=runs_strategy, keep=keeps)
def test_nothing_that_is_held_is_touched_and_every_decision_frees_something(runs: list[KeptRun], keep: Keep) -> None:
    by_id = {each.id: each for each in runs}
    for decision in decide(runs, keep, NOW):
        assert by_id[decision.run].held is None
        assert 0 < decision.frees <= by_id[decision.run].size


@settings(max_examples=50)
@given(runs=runs_strategy, keep=keeps)
def test_what_is_left_fits_or_nothing_more_may_go(runs: list[KeptRun], keep: Keep) -> None:
    decided = {decision.run: decision for decision in decide(runs, keep, NOW)}
    left = sum(each.size - (decided[each.id].frees if each.id in decided else 0) for each in runs)
    free = [each for each in runs if each.held is None and not each.lost and each.size]
    if keep.size is not None and left > keep.size:
        assert all(each.id in decided and decided[each.id].frees == each.size for each in free)


@settings(max_examples=50)
@given(runs=runs_strategy, keep=keeps)
def test_to_decide_again_after_it_was_done_is_to_do_nothing(runs: list[KeptRun], keep: Keep) -> None:
    decided = {decision.run: decision for decision in decide(runs, keep, NOW)}
    after = []
    for each in runs:
        if each.id not in decided:
            after.append(each)
        elif decided[each.id].action is Action.CUT:
            after.append(KeptRun(each.id, each.cut_size, each.cut_size, each.ended, each.failed, each.lost))
    assert decide(after, keep, NOW) == ()
