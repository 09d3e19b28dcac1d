"""Which changes a run makes by itself, and how often."""

from __future__ import annotations

from launcher.diagnose.loading import rulebook
from launcher.runs.events import Decided, Diagnosed, Event, HostIdle, Progressed, Proposal
from launcher.specs import Recipe, RestartPolicy
from launcher.specs.recovery import AutoFix
from launcher.supervise.fixing import BOUNDED, PATIENCE
from launcher.supervise.policy import AwaitDiagnosis, EndRun, Restart
from tests.supervise.simulation import job
from tests.supervise.test_policy import begun, classified, decision, exited

HALVED = Proposal(id="halve_micro_batch", overrides=("args.batch_size=4", "args.accumulation=2"), words="8 -> 4")
LONGER = Proposal(id="longer_connect_timeout", overrides=("env.HCCL_CONNECT_TIMEOUT=600",), words="120 -> 600")


def fixing(mode: AutoFix = AutoFix.APPLY, recipe: Recipe | None = None) -> Recipe:
    recipe = recipe or job(4, RestartPolicy.NEVER)
    return recipe.model_copy(update={"restart": recipe.restart.model_copy(update={"auto_fix": mode})})


def failed(number: int = 1) -> list[Event]:
    idle: list[Event] = [HostIdle(time=30, host=host, attempt=number) for host in ("h0", "h1")]
    return [*begun(number), exited(1, number=number), classified(1, number=number), *idle]


def diagnosed(
    number: int = 1, cause: str | None = "device_oom", proposals: tuple[Proposal, ...] = (HALVED,)
) -> Diagnosed:
    return Diagnosed(time=31, attempt=number, cause=cause, confidence="high", rank=1, proposals=proposals)


def fixed(number: int, fix: str = "halve_micro_batch") -> Decided:
    """What began attempt `number`."""
    return Decided(time=32, decision="restart_group", reason="", due=32, fix=fix, overrides=HALVED.overrides)


def test_a_restart_waits_for_the_diagnosis_but_not_for_ever() -> None:
    assert decision(fixing(), *failed()) == AwaitDiagnosis(1, 30 + PATIENCE)
    late = Diagnosed(time=50, attempt=1, words="the diagnosis took too long")
    assert isinstance(decision(fixing(), *failed(), late), EndRun)


def test_nothing_waits_where_nothing_is_applied() -> None:
    for mode in (AutoFix.OFF, AutoFix.ASK):
        assert isinstance(decision(fixing(mode), *failed()), EndRun)
        assert isinstance(decision(fixing(mode), *failed(), diagnosed()), EndRun)


def test_out_of_device_memory_starts_again_with_half_the_micro_batch_beyond_what_restarts_allow() -> None:
    found = decision(fixing(), *failed(), diagnosed())
    assert isinstance(found, Restart)
    assert found.decided(40).overrides == HALVED.overrides
    assert (found.decided(40).fix, found.decided(40).cause) == ("halve_micro_batch", None)
    assert found.reason == "device_oom on rank 1: 8 -> 4 (fix 1 of 3)"


def test_the_micro_batch_is_halved_three_times_at_most() -> None:
    events: list[Event] = []
    for number in (1, 2, 3):
        events += [*failed(number), diagnosed(number)]
        assert isinstance(decision(fixing(), *events), Restart)
        events.append(fixed(number + 1))
    assert isinstance(decision(fixing(), *events, *failed(4), diagnosed(4)), EndRun)


def test_a_person_who_starts_the_run_again_allows_the_fixes_anew() -> None:
    events: list[Event] = []
    for number in (1, 2, 3):
        events += [*failed(number), diagnosed(number), fixed(number + 1)]
    by_a_person = [*failed(4), diagnosed(4), *failed(5), diagnosed(5)]
    assert isinstance(decision(fixing(), *events, *by_a_person), Restart)


def test_a_fix_counts_against_no_budget_and_not_as_a_restart_in_vain() -> None:
    recipe = fixing(recipe=job(4, max_restarts=1))
    events = [*failed(), diagnosed(), fixed(2), *failed(2), diagnosed(2, "connection_lost", ())]
    found = decision(recipe, *events)
    assert isinstance(found, Restart)
    assert found.fix is None
    assert "restart 1 of 1" in found.reason


def test_a_fix_is_only_for_the_causes_it_is_meant_for() -> None:
    for cause in ("user_code_error", "device_occupied", "host_oom", None):
        assert isinstance(decision(fixing(), *failed(), diagnosed(cause=cause)), EndRun)


def test_where_another_change_is_better_a_person_is_to_decide() -> None:
    segments = Proposal(id="expandable_segments", overrides=("env.X=1",), words="env X=1")
    assert isinstance(decision(fixing(), *failed(), diagnosed(proposals=(segments, HALVED))), EndRun)


def test_a_longer_timeout_needs_the_proof_of_a_slow_start() -> None:
    timeout = diagnosed(cause="hccl_connect_timeout", proposals=(LONGER,))
    assert isinstance(decision(fixing(), *failed(), timeout), EndRun)
    slow: list[Event] = [*begun(), Progressed(time=200, attempt=1, step=1), *failed()[len(begun()) :], timeout]
    assert isinstance(decision(fixing(), *slow), Restart)


def test_every_change_that_may_be_made_is_one_that_the_rules_suggest_for_its_causes() -> None:
    book = rulebook()
    for name, bounds in BOUNDED.items():
        assert name in book.suggestions
        for cause in bounds.causes:
            of_rules = (rule.suggestions or () for rule in book.rules.values() if rule.cause == cause)
            assert name in book.causes[cause].suggestions or any(name in names for names in of_rules), (name, cause)
