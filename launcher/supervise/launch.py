"""Starts runs, starts them again, and stops them; returns at once, for the run lives on by itself."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

from launcher.errors import InfrastructureError, NpuLaunchError, UsageError
from launcher.hosts import check_hosts
from launcher.hosts.orphans import end_what_is_left_of
from launcher.hosts.preflight.finding import Severity
from launcher.hosts.preflight.wording import in_one_line
from launcher.hosts.program import check_program
from launcher.planning.model import LaunchPlan
from launcher.runs.events import Event, Note, RunEnded, Slot
from launcher.runs.home import make_runtime_directory
from launcher.runs.lock import Lock
from launcher.runs.pointer import here, move
from launcher.runs.state import RankPhase, RunPhase, RunState
from launcher.runs.store import RunDirectory, create_run, example_run
from launcher.specs import Cluster, Framework, Recipe, dump_yaml, load_recipe
from launcher.specs.choices import Preflight
from launcher.supervise.claims import Allotment, Claimed, Taken, foresee, foresee_block, taken_slots
from launcher.supervise.converse import converse
from launcher.supervise.detached import ensure_kept, have_it_kept, start_keeper, start_shim
from launcher.supervise.line import Line, claim_when_free, no_line
from launcher.supervise.preparation import attempt_started, first_events, plan_attempt, prepare_attempt, read_specs
from launcher.supervise.sights import Sights, keep_sights
from launcher.supervise.spread import home_host, is_spread

_log = logging.getLogger(__name__)

_PAUSE = 0.05  # seconds between looks at a run that another process is about to take or to leave
_LONG_PATIENCE = 60.0  # seconds for a new supervisor to answer
_PATIENCE = 5.0  # seconds for a supervisor to be there

Warn = Callable[[str], None]


def preview(recipe: Recipe, cluster: Cluster, name: str | None = None) -> LaunchPlan:
    """The plan as `start` would make it; writes nothing, starts nothing.

    It leaves out devices that others have, as long as enough are left. Raises SpecError, PlanError or
    InfrastructureError.
    """
    run = example_run(name or recipe.name)
    taken = taken_slots(cluster)
    unavailable = frozenset(taken) if recipe.ranks <= cluster.device_count - len(taken) else frozenset[Slot]()
    allotment = Allotment(unavailable, foresee_block(recipe, cluster, run.id))
    return plan_attempt(recipe, cluster, run, 1, allotment)


def start(
    recipe: Recipe,
    cluster: Cluster,
    *,
    name: str | None = None,
    line: Line | None = None,
    preflight: Preflight | None = None,
    warn: Warn = _log.warning,
) -> RunDirectory:
    """Create a run and start its ranks; they are on their way when this returns.

    With a `line` it waits there for devices that others have, and without one it refuses. `preflight` is the recipe's
    unless it is given; `warn` hears in a line each what it and the plan find doubtful. Raises SpecError, PlanError,
    PreflightError or InfrastructureError, and KeyboardInterrupt out of the line; nothing is left behind then.
    """
    if is_spread(cluster):
        raise UsageError(
            f"cluster {cluster.name} is not this machine alone",
            expected="a cluster that is, of which no other host has to be brought up",
            remedy="launcher.launch(recipe, cluster) starts a run on any cluster",
        )
    _look(recipe, cluster, preflight, warn)
    with claim_when_free(recipe, cluster, line) as claimed:
        now = time.time()
        run = create_run(name or recipe.name, dump_yaml(recipe.resolved()), dump_yaml(cluster), now)
        try:
            launch_plan = prepare_attempt(run, recipe, cluster, 1, claimed.allot(recipe, cluster, run.id))
            _begin(
                run, launch_plan, first_events(launch_plan, recipe, name or recipe.name, now), {}, claimed.descriptors
            )
        except (NpuLaunchError, OSError):
            shutil.rmtree(run.path, ignore_errors=True)
            raise
    for warning in launch_plan.warnings:
        warn(warning)
    return run


def begin(
    recipe: Recipe,
    cluster: Cluster,
    name: str,
    sights: Sights,
    elsewhere: Mapping[str, Taken],
) -> tuple[RunDirectory, LaunchPlan]:
    """Create a run whose home is here and whose ranks are to run on several hosts; Ray, which is up, starts them.

    The recipe is as it is on the hosts, every one of which is fit for it; `elsewhere` is what they say is taken there.
    Raises SpecError, PlanError, PreflightError or InfrastructureError; nothing is left behind then.
    """
    check_program(recipe)
    now = time.time()
    run = create_run(name, dump_yaml(recipe.resolved()), dump_yaml(cluster), now)
    try:
        move(run, here(home_host(cluster).name))
        keep_sights(run, sights)
        allotment = foresee(recipe, cluster, run.id, frozenset(), elsewhere)
        launch_plan = prepare_attempt(run, recipe, cluster, 1, allotment)
        _record(run, first_events(launch_plan, recipe, name, now))
        have_it_kept(run)
    except (NpuLaunchError, OSError):
        shutil.rmtree(run.path, ignore_errors=True)
        raise
    return run, launch_plan


def rerun(
    run: RunDirectory,
    *,
    ranks: Sequence[int] | None = None,
    overrides: Sequence[str] = (),
    why: str = "",
    line: Line | None = None,
    preflight: Preflight | None = None,
    warn: Warn = _log.warning,
) -> None:
    """Start the next attempt of a run that has ended: all ranks, or these, from the newest checkpoint.

    `overrides` are `key=value` changes to the recipe, kept for later attempts; `why` is noted in the record. With a
    `line` it waits there for devices that others have; `preflight` and `warn` are those of `start`. What earlier
    attempts left behind, because all that kept them was killed, is ended first. Raises UsageError while the run is
    alive, or when single ranks of a job that needs them all are asked for.
    """
    lock, state = _locked(run)
    try:
        recipe, cluster, _ = _wanted(run, state, ranks, overrides)
        spread = is_spread(cluster)
        if not spread:
            _look(recipe, cluster, preflight, warn, run)
        elif line is not None:
            raise no_line(cluster)
        _dismiss_shims(run, state)
    finally:
        lock.release()  # nobody should wait for us while we wait
    with Claimed(frozenset(), {}) if spread else claim_when_free(recipe, cluster, line) as claimed:
        lock, state = _locked(run)
        try:
            recipe, cluster, selected = _wanted(run, state, ranks, overrides)
            _end_what_is_left_of(run)
            number = state.attempts[-1].number + 1 if state.attempts else 1
            events: list[Event] = []
            if state.phase is RunPhase.LOST:
                events.append(RunEnded(time=time.time(), outcome="lost", reason=state.reason))
            if spread:
                allotment = foresee(recipe, cluster, run.id, frozenset())
            else:
                allotment = claimed.allot(recipe, cluster, run.id)
            launch_plan = prepare_attempt(run, recipe, cluster, number, allotment, selected)
            if why:
                events.append(Note(time=time.time(), level="info", text=why))
            events.append(attempt_started(launch_plan, recipe, time.time()))
            if spread:
                _record(run, events)
            else:
                _begin(run, launch_plan, events, state.seen, claimed.descriptors)
        finally:
            lock.release()
    if spread:
        have_it_kept(run)
    for warning in launch_plan.warnings:
        warn(warning)


def _wanted(
    run: RunDirectory, state: RunState, ranks: Sequence[int] | None, overrides: Sequence[str]
) -> tuple[Recipe, Cluster, tuple[int, ...] | None]:
    """What a rerun is to run, where, and which ranks of it (None: all). Raises what forbids it."""
    recipe, cluster = read_specs(run)
    if overrides:
        recipe = load_recipe(run.layout.recipe, overrides)
    if recipe.ranks != state.world_size:
        raise UsageError(
            f"ranks is {recipe.ranks}, but a run keeps its number of ranks, which is {state.world_size}",
            remedy=f"npu-launch RECIPE --set ranks={recipe.ranks} starts a new run",
        )
    return recipe, cluster, _selected(recipe, state, ranks)


def _look(
    recipe: Recipe, cluster: Cluster, preflight: Preflight | None, warn: Warn, run: RunDirectory | None = None
) -> None:
    """Preflight, for ranks on devices that no other run has. Raises what refuses the run."""
    taken = taken_slots(cluster, None if run is None else run.id)
    unavailable = frozenset((slot.host, slot.device) for slot in taken)
    for found in check_hosts(recipe, cluster, preflight, unavailable):
        if found.severity is Severity.WARN:
            warn(in_one_line(found))


def _dismiss_shims(run: RunDirectory, state: RunState) -> None:
    """Have shims of an ended run end, which would stay, and keep its devices, for a minute if nobody dismissed them."""
    for host in state.hosts:
        converse(run.shim_socket(host), {"op": "leave"})
    deadline = time.monotonic() + _PATIENCE
    while run.has_shim(state) and time.monotonic() < deadline:
        time.sleep(_PAUSE)


def _end_what_is_left_of(run: RunDirectory) -> None:
    left = [process for process in end_what_is_left_of(run) if process.is_left]
    if left:
        raise InfrastructureError(
            f"an earlier attempt of run {run.id} left processes that do not end",
            where=", ".join(f"pid {process.pid}" for process in left),
            expected="a process that SIGKILL ends; one that hangs in a driver ends when the driver lets it",
            remedy="look at it with ps -o pid,stat,wchan,args, or reset its device",
        )


def _locked(run: RunDirectory) -> tuple[Lock, RunState]:
    """The lock of a run that has ended, and the run's state. Raises UsageError while it is alive."""
    lock = run.lock()
    while True:
        state = run.state()
        if not state.phase.ended:
            raise UsageError(
                f"run {run.id} is {state.phase.value}",
                expected="a run that has ended",
                remedy=f"npu-launch stop {run.id}, or wait for its end",
            )
        if lock.try_acquire():
            if (state := run.state()).phase.ended:
                return lock, state
            lock.release()  # another rerun was faster
        time.sleep(_PAUSE)


def request_stop(run: RunDirectory, by: str) -> None:
    """Ask for the run to be stopped; the record tells when it has been. Does nothing to a run that has ended.

    A run that has no supervisor for some seconds is stopped through the shims of this machine, and gets a new one,
    which is asked too: a restart may be pending. Raises InfrastructureError when nobody takes the request.
    """
    began = time.monotonic()
    shims_told = False
    while not (state := run.state()).phase.ended:
        if converse(run.control_socket(), {"op": "stop", "by": by}) == b"ok\n":
            return
        waited = time.monotonic() - began
        if waited >= _PATIENCE and not shims_told:
            shims_told = True
            for host in state.hosts:
                converse(run.shim_socket(host), {"op": "stop", "reason": f"stopped by {by}"})
            ensure_kept(run)
        if waited >= _LONG_PATIENCE:
            raise InfrastructureError(
                f"nobody who supervises run {run.id} answers", where=str(run.supervisor_log), remedy="try again"
            )
        time.sleep(_PAUSE)


def _selected(recipe: Recipe, state: RunState, ranks: Sequence[int] | None) -> tuple[int, ...] | None:
    """The ranks to run, or None for all of them."""
    if ranks is None or set(ranks) == set(range(state.world_size)):
        return None
    unknown = sorted(set(ranks) - set(range(state.world_size)))
    if unknown:
        raise UsageError(f"rank {unknown[0]} does not exist", expected=f"ranks from 0 to {state.world_size - 1}")
    if not ranks:
        raise UsageError("no rank has failed", remedy=f"npu-launch rerun {state.run} runs all of them again")
    if recipe.framework is not Framework.PLAIN:
        raise UsageError(
            f"{recipe.framework.value} ranks form one group and cannot be run again singly",
            expected="framework: plain, whose ranks are independent",
            remedy=f"npu-launch rerun {state.run} runs the group from its last checkpoint",
        )
    return tuple(sorted(set(ranks)))


def failed_ranks(state: RunState) -> tuple[int, ...]:
    """The ranks that have not succeeded: failed, stopped in the wake of a failure, lost, or never started."""
    return tuple(r for r in sorted(state.ranks) if state.ranks[r].phase is not RankPhase.SUCCEEDED)


def _begin(
    run: RunDirectory,
    launch_plan: LaunchPlan,
    events: Sequence[Event],
    seen: Mapping[str, int],
    claims: Mapping[str, int],
) -> None:
    """Write down that the attempt starts, start its shim and the keeper beside it; on an error none of them runs."""
    _record(run, events)
    with ExitStack() as undo:
        for host in launch_plan.hosts:
            shim = start_shim(run, host, launch_plan.attempt, seen.get(host, 0), claims)
            undo.callback(shim.wait)
            undo.callback(shim.terminate)  # which ends its ranks
        start_keeper(run)
        undo.pop_all()


def _record(run: RunDirectory, events: Sequence[Event]) -> None:
    make_runtime_directory()
    with run.writer() as writer:
        error = writer.append(events)
        if error is not None:
            raise InfrastructureError(f"cannot write the record: {error}", where=str(run.layout.events))
