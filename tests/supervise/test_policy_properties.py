"""What holds for every run, whatever happens in it and in whatever order it is told."""

from __future__ import annotations

from collections import Counter
from dataclasses import fields
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.runs.events import (
    AttemptStarted,
    Cause,
    Classified,
    Decided,
    Event,
    GangStopping,
    HangFound,
    HostBack,
    HostFenced,
    HostIdle,
    HostReady,
    HostSuspected,
    HostUnreachable,
    ProcessExited,
    ProcessStarted,
    Progressed,
    RunCreated,
    RunEnded,
    ShimLost,
    Slot,
    StopRequested,
)
from launcher.runs.fold import apply, fold
from launcher.runs.state import RankPhase, RunPhase, RunState
from launcher.specs import Recipe, RestartPolicy
from launcher.supervise.policy import decide
from tests.supervise.simulation import Fault, World, cluster_of, job

CREATED = RunCreated(time=0, run="r", name="r", framework="plain", target="CPU", world_size=4, hosts=("h0", "h1"))
HOSTS = st.sampled_from(["h0", "h1", "h2", "elsewhere"])
ATTEMPTS = st.integers(1, 3)
RANKS = st.integers(0, 5)
TIMES = st.floats(0, 2000)
SEQS = st.none() | st.integers(1, 12)
CAUSES = st.sampled_from(list(Cause))
SLOTS = st.builds(Slot, host=HOSTS, device=st.none() | st.integers(0, 2))
SOME_RANKS = st.lists(RANKS, unique=True, max_size=6).map(tuple)

EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        AttemptStarted,
        time=TIMES,
        attempt=ATTEMPTS,
        ranks=SOME_RANKS,
        world_size=st.none() | st.integers(1, 5),
        hosts=st.none() | st.lists(HOSTS, unique=True, max_size=3).map(tuple),
    ),
    st.builds(
        ProcessStarted,
        time=TIMES,
        host=HOSTS,
        host_seq=SEQS,
        attempt=ATTEMPTS,
        name=st.just("x"),
        rank=st.none() | RANKS,
        pid=st.just(7),
        slot=st.integers(0, 2),
    ),
    st.builds(
        ProcessExited,
        time=TIMES,
        host=HOSTS,
        host_seq=SEQS,
        attempt=ATTEMPTS,
        name=st.just("x"),
        rank=st.none() | RANKS,
        pid=st.just(7),
        code=st.integers(-15, 2),
        stopped=st.booleans(),
    ),
    st.builds(
        GangStopping,
        time=TIMES,
        host=st.none() | HOSTS,
        host_seq=SEQS,
        attempt=ATTEMPTS,
        reason=st.just("rank 1 failed"),
        fenced=st.booleans(),
    ),
    st.builds(HostIdle, time=TIMES, host=HOSTS, host_seq=SEQS, attempt=ATTEMPTS),
    st.builds(HostReady, time=TIMES, host=HOSTS, host_seq=SEQS, attempt=ATTEMPTS),
    st.builds(Classified, time=TIMES, attempt=ATTEMPTS, rank=RANKS, cause=CAUSES, startup=st.booleans()),
    st.builds(Progressed, time=TIMES, attempt=ATTEMPTS, step=st.integers(0, 9)),
    st.builds(HangFound, time=TIMES, attempt=ATTEMPTS, since=TIMES, limit=st.just(1.0), fatal=st.booleans()),
    st.builds(HostSuspected, time=TIMES, host=HOSTS),
    st.builds(HostUnreachable, time=TIMES, host=HOSTS, heard=TIMES),
    st.builds(HostBack, time=TIMES, host=HOSTS),
    st.builds(HostFenced, time=TIMES, host=HOSTS, attempt=ATTEMPTS),
    st.builds(ShimLost, time=TIMES, host=HOSTS, attempt=ATTEMPTS),
    st.builds(StopRequested, time=TIMES, by=st.just("me")),
    st.builds(
        Decided,
        time=TIMES,
        decision=st.sampled_from(["go", "stop", "restart_group", "end_failed"]),
        reason=st.just("because"),
        cause=st.none() | CAUSES,
        due=st.none() | TIMES,
        excluded=st.lists(SLOTS, max_size=2).map(tuple),
    ),
    st.builds(
        RunEnded, time=TIMES, outcome=st.sampled_from(["failed", "lost", "succeeded"]), reason=st.just("so it is")
    ),
    st.just(CREATED),
)


def check_legal(state: RunState) -> None:
    """What every state keeps to. Raises AssertionError."""
    assert set(vars(state)) == {field.name for field in fields(state)}
    assert set(state.ranks) == set(range(state.world_size))
    for phase in RankPhase:
        assert state.ranks_in(phase) == tuple(r for r in sorted(state.ranks) if state.ranks[r].phase is phase)
    running: dict[str, set[int]] = {}
    for number, rank in state.ranks.items():
        assert rank.rank == number
        assert rank.attempt <= (state.attempt.number if state.attempt is not None else 0)
        if rank.phase in (RankPhase.SUCCEEDED, RankPhase.FAILED, RankPhase.STOPPED):
            assert rank.exit is not None
        assert (rank.ended is not None) == (rank.phase not in (RankPhase.WAITING, RankPhase.RUNNING))
        if rank.phase is RankPhase.RUNNING:
            assert state.attempt is not None and rank.host in state.attempt.busy_hosts
            running.setdefault(rank.host, set()).add(number)
        assert (number in state.unclassified) == (rank.phase is RankPhase.FAILED and rank.failure is None)
    assert {host: set(ranks) for host, ranks in state.running_on.items()} == running
    numbers = [attempt.number for attempt in state.attempts]
    assert numbers == sorted(set(numbers))
    for attempt in state.attempts:
        assert set(vars(attempt)) == {field.name for field in fields(attempt)}
        assert attempt.busy_hosts <= set(state.hosts) or attempt is not state.attempt
        assert attempt.ended is None or not attempt.busy_hosts
        assert attempt.released or (attempt.gang and len(attempt.hosts) > 1)
    if state.phase.ended:
        assert state.pending is None and not state.running_on and state.ended is not None
        assert state.attempt is None or not state.attempt.busy_hosts
    if state.stop_requested_by is not None:
        assert state.pending is None and state.phase is not RunPhase.RUNNING
    first = state.first_failure
    assert first is None or (first.phase is RankPhase.FAILED and first.exit is not None)


@settings(max_examples=400, deadline=None)
@given(st.lists(EVENTS, max_size=40))
def test_events_in_any_order_lead_to_a_legal_state(events: list[Event]) -> None:
    state = fold([CREATED])
    for event in events:
        state = apply(state, event)
        check_legal(state)


@settings(max_examples=200, deadline=None)
@given(st.lists(EVENTS, max_size=30), st.sampled_from(list(RestartPolicy)), st.integers(0, 3))
def test_any_state_has_a_decision_and_always_the_same(
    events: list[Event], policy: RestartPolicy, max_restarts: int
) -> None:
    state = fold([CREATED, *events])
    recipe, cluster = job(4, policy, max_restarts), cluster_of(3, 2)
    assert decide(state, recipe, cluster) == decide(state, recipe, cluster)
    assert decide(fold([CREATED, *events]), recipe, cluster) == decide(state, recipe, cluster)


@settings(deadline=None)
@given(st.lists(EVENTS, max_size=30), st.data())
def test_what_a_host_tells_twice_counts_once(events: list[Event], data: st.DataObject) -> None:
    state = fold([CREATED, *events])
    numbered = [event for event in events if event.host is not None and event.host_seq is not None]
    if numbered:
        assert apply(state, data.draw(st.sampled_from(numbered))) == state


KINDS = st.sampled_from(["exit", "hang", "unreachable", "shim_lost", "progress", "slow", "takeover"])
FAULTS = st.lists(
    st.builds(
        Fault,
        kind=KINDS,
        at=st.floats(0, 1500),
        number=st.integers(0, 7),
        cause=CAUSES,
        startup=st.sampled_from([False, False, False, True]),
        seconds=st.sampled_from([1.0, 5.0, 20.0, 65.0, 300.0, 1e9]),
    ),
    max_size=12,
)
RESTARTS = st.fixed_dictionaries(
    {"backoff": st.floats(0, 100), "without_progress": st.integers(0, 3)},
    optional={"budgets": st.dictionaries(st.sampled_from([cause.value for cause in Cause]), st.integers(0, 2))},
)


@st.composite
def worlds(draw: st.DrawFn, faults: st.SearchStrategy[list[Fault]] = FAULTS) -> World:
    """A run of up to six ranks on up to four hosts, some of them spare."""
    ranks = draw(st.integers(1, 6))
    hosts = draw(st.integers((ranks + 1) // 2, 4))
    recipe = job(ranks, draw(st.sampled_from(list(RestartPolicy))), draw(st.integers(0, 5)), **draw(RESTARTS))
    # Of independent ranks no standstill is fatal: a watch never stops them for it.
    happening = [fault for fault in draw(faults) if recipe.gang or fault.kind != "hang"]
    return World(recipe, cluster_of(hosts, 2), happening, seed=draw(st.integers(0, 1000)))


def _restarts(world: World) -> list[Decided]:
    return [event for event in world.record if isinstance(event, Decided) and event.due is not None]


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_a_run_ends_whatever_happens_to_it(world: World) -> None:
    world.on_change = check_legal
    state = world.run()
    assert state.phase.ended
    if not any(isinstance(event, StopRequested) for event in world.record):
        assert state.phase is not RunPhase.STOPPED


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_no_budget_is_ever_exceeded(world: World) -> None:
    recipe: Recipe = world.recipe
    world.run()
    restarts = _restarts(world)
    assert len(restarts) <= recipe.restart.max_restarts
    for cause, used in Counter(event.cause for event in restarts).items():
        assert cause is not None
        budget = recipe.restart.budgets.of(cause.value)
        assert budget is None or used <= budget


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_no_restart_comes_too_late(world: World) -> None:
    world.run()
    longest = 1.25 * max(60.0, world.recipe.restart.backoff)
    for event in _restarts(world):
        assert event.due is not None
        assert event.due - event.time <= longest


@settings(max_examples=200, deadline=None)
@given(worlds())
def test_every_decision_says_why(world: World) -> None:
    world.run()
    decisions = [event for event in world.record if isinstance(event, Decided)]
    assert decisions
    assert all(len(event.reason.split()) >= 3 for event in decisions)


@settings(max_examples=200, deadline=None)
@given(worlds(), st.floats(0, 1500))
def test_a_request_to_stop_stops_the_run_whatever_else_happens(world: World, at: float) -> None:
    world.add(Fault("stop", at=at))
    state = world.run()
    requests = [event for event in world.record if isinstance(event, StopRequested)]
    if requests:
        assert state.phase in (RunPhase.STOPPED, RunPhase.SUCCEEDED)
        assert all(event.time <= requests[0].time for event in world.record if isinstance(event, AttemptStarted))


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_no_attempt_uses_a_slot_that_was_excluded(world: World) -> None:
    world.run()
    excluded: set[Slot] = set()
    for event in world.record:
        if isinstance(event, Decided):
            excluded |= set(event.excluded)
        if isinstance(event, ProcessStarted) and event.attempt == _attempt_at(world, event):
            assert Slot(host=event.host or "", device=event.slot) not in excluded
            assert Slot(host=event.host or "") not in excluded


def _attempt_at(world: World, event: Event) -> int:
    """The number of the attempt that had begun last when this was written down."""
    before = world.record[: world.record.index(event)]
    return max(e.attempt for e in before if isinstance(e, AttemptStarted))


@settings(max_examples=100, deadline=None)
@given(worlds())
def test_no_gang_runs_twice_at_once(world: World) -> None:
    """A rank of an attempt starts only when no rank of an earlier one can be alive."""
    if not world.recipe.gang:
        return
    world.run()
    assert world.twins == 0


@settings(max_examples=300, deadline=None)
@given(worlds())
def test_no_rank_of_a_gang_starts_before_all_hosts_are_ready(world: World) -> None:
    world.run()
    assert world.premature == 0
    for attempt, told in _told_of_attempts(world):
        if not world.recipe.gang or len(attempt.hosts or ()) == 1:
            continue
        went = [i for i, event in enumerate(told) if isinstance(event, Decided) and event.decision == "go"]
        began = [i for i, event in enumerate(told) if isinstance(event, ProcessStarted)]
        ready = {event.host for event in told[: went[0]] if isinstance(event, HostReady)} if went else set()
        assert len(went) <= 1
        assert not began or (went and went[0] < began[0])
        assert not went or ready >= set(attempt.hosts or ())


def _told_of_attempts(world: World) -> list[tuple[AttemptStarted, list[Event]]]:
    """What was written down from the start of each attempt to that of the next, without the echo of earlier ones."""
    found: list[tuple[AttemptStarted, list[Event]]] = []
    for event in world.record:
        if isinstance(event, AttemptStarted):
            found.append((event, []))
        elif found and getattr(event, "attempt", found[-1][0].attempt) == found[-1][0].attempt:
            found[-1][1].append(event)
    return found


@settings(max_examples=100, deadline=None)
@given(worlds(), st.integers(0, 10_000))
def test_messages_that_a_host_repeats_late_change_nothing(world: World, seed: int) -> None:
    state = world.run()
    repeated = [event for event in world.record if event.host_seq is not None]
    Random(seed).shuffle(repeated)
    assert fold(repeated, state) == state
