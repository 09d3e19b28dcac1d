"""A world in which ranks fail, hosts vanish and messages come late, for fold and policy to cope with.

The shims and the supervisor's hands are simulated, there is no process and no clock; what is told and what is decided
is the launcher's own code.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random
from time import process_time
from typing import Literal, TypeAlias

from launcher.planning.placement import Seat, keep_seats, place_ranks
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
    StopRequested,
)
from launcher.runs.fold import fold
from launcher.runs.state import RunState
from launcher.specs import Cluster, FrozenMap, Recipe, RestartPolicy, recipe_from_mapping
from launcher.supervise.capacity import seats_beside, unavailable_slots
from launcher.supervise.heartbeat import SUSPECT_AFTER, UNREACHABLE_AFTER
from launcher.supervise.policy import Classify, Decision, EndRun, Fence, Go, Restart, StopAttempt, Wait, decide

Kind: TypeAlias = Literal["exit", "hang", "unreachable", "shim_lost", "progress", "slow", "stop", "takeover"]

_DURATION = 1000.0  # seconds that a rank trains when nothing happens
_TICK = 0.05  # seconds in which what arrives is considered together


@dataclass(frozen=True)
class Fault:
    """What happens at a moment: to the rank or host of this number, or to the run.

    An `exit` is a rank's failure of this cause, `startup` one that would repeat itself; `seconds` is how long a host
    cannot be reached, or (`slow`) get ready, or the step that all ranks have done.
    """

    kind: Kind
    at: float
    number: int = 0
    cause: Cause = Cause.USER
    startup: bool = False
    seconds: float = 0.0


@dataclass
class _Shim:
    """What one host runs and has told. `alive` are its ranks and the attempt that each belongs to."""

    name: str
    seq: int = 0
    attempt: int = 0
    is_busy: bool = False
    is_stopping: bool = False
    alive: dict[int, int] = field(default_factory=dict)
    held_back: Sequence[Seat] = ()  # who may not start before all hosts are ready
    ready_for: int = 0  # the last attempt that it could start
    ready_after: float = 0.0  # it does not get ready before
    back: float = 0.0  # until when it cannot be reached
    told: list[Event] = field(default_factory=list)  # what nobody has heard yet
    due: float = 0.0  # when the last message of it arrives: they keep their order


@dataclass
class Figures:
    """What a simulation came to."""

    events: int = 0
    decisions: int = 0
    seconds: float = 0.0  # of CPU, in fold and decide

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0


class Stuck(AssertionError):
    """Nothing will ever happen any more, or decisions never end."""


class World:
    """One run from its creation to its end."""

    def __init__(self, recipe: Recipe, cluster: Cluster, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self.recipe, self.cluster = recipe, cluster
        self.now = 0.0
        self.figures = Figures()
        self.record: list[Event] = []
        self.state = RunState()
        self.on_change: Callable[[RunState], None] = lambda _state: None
        self._random = Random(seed)
        self._order = count()
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._heard: list[Event] = []
        self._shims = {host.name: _Shim(host.name) for host in cluster.hosts}
        self._verdicts: dict[tuple[int, int], Fault] = {}  # why a rank of an attempt failed
        self.refused = 0  # ranks that a host could not start, because it was stopping
        self.faults: list[Fault] = []
        self.twins = 0  # ranks that were started while an earlier attempt's were alive
        self.premature = 0  # hosts that started ranks of a gang when another host was not ready
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Have one more thing go wrong."""
        self.faults.append(fault)
        self._at(fault.at, partial(self._happen, fault))

    def __repr__(self) -> str:
        """What one needs to know to see the same again, and how it went."""
        told = "".join(f"\n  {event!r}" for event in self.record)
        return f"World({self.recipe.restart!r}, faults={self.faults}):{told}"

    def run(self) -> RunState:
        """The state in which the run has ended. Raises Stuck."""
        hosts = tuple(dict.fromkeys(seat.host.name for seat in place_ranks(self.recipe, self.cluster)))
        world_size = self.recipe.ranks
        created = RunCreated(
            time=0, run="r", name="r", framework="plain", target="CPU", world_size=world_size, hosts=hosts
        )
        self._write([created])
        self._start(None)
        while not self.state.phase.ended:
            wake = self._settle()
            if self.state.phase.ended:
                break
            following = self._agenda[0][0] if self._agenda else math.inf
            if min(wake, following) == math.inf:
                raise Stuck(f"nothing happens any more: {self.state.phase}, {self.state.attempt}")
            self.now = max(self.now, min(wake, following))
            until = self.now + _TICK
            while self._agenda and self._agenda[0][0] <= until:
                time, _, action = heapq.heappop(self._agenda)
                self.now = max(self.now, time)
                action()
            heard, self._heard = self._heard, []
            self._write(heard)
        return self.state

    # -- the supervisor --------------------------------------------------------------------------------------------

    def _settle(self) -> float:
        """Decide and act until there is nothing to do; when there will be."""
        for _ in range(10 * self.recipe.ranks + 100):
            began = process_time()
            decision = decide(self.state, self.recipe, self.cluster)
            self.figures.seconds += process_time() - began
            wake = self._act(decision)
            if wake is not None:
                return wake
            self.figures.decisions += 1
        raise Stuck(f"decisions do not end: {decision}")

    def _act(self, decision: Decision) -> float | None:
        match decision:
            case Wait():
                pending = self.state.pending
                if pending is None or pending.due is None:
                    return math.inf
                if self.now < pending.due:
                    return pending.due
                self._start(pending)
            case Classify(rank):
                attempt = self.state.ranks[rank].attempt
                fault = self._verdicts.get((rank, attempt), Fault("exit", 0))
                self._write(
                    [Classified(time=self.now, attempt=attempt, rank=rank, cause=fault.cause, startup=fault.startup)]
                )
            case Go(reason):
                self._write([Decided(time=self.now, decision="go", reason=reason)])
                assert self.state.attempt is not None
                for host in sorted(self.state.attempt.busy_hosts):
                    self._when_reached(self._shims[host], partial(self._go, attempt=self.state.attempt.number))
            case StopAttempt(reason, due):
                if self.now < due:
                    return due
                self._write([Decided(time=self.now, decision="stop", reason=reason)])
                assert self.state.attempt is not None
                for host in sorted(self.state.attempt.busy_hosts):
                    self._when_reached(self._shims[host], partial(self._stop, reason=reason))
            case Fence(host, due):
                if self.now < due:
                    return due
                assert self.state.attempt is not None
                self._write([HostFenced(time=self.now, host=host, attempt=self.state.attempt.number)])
            case Restart():
                self._write([decision.decided(self.now)])
            case EndRun(outcome, reason):
                decided = Decided(time=self.now, decision=f"end_{outcome}", reason=reason)
                self._write([decided, RunEnded(time=self.now, outcome=outcome, reason=reason)])
                return math.inf
        return None

    def _start(self, decided: Decided | None) -> None:
        """The next attempt, of all ranks or of some beside the others, which keep their places."""
        ranks = decided.ranks if decided is not None else None
        if decided is not None and decided.world_size is not None:
            self.recipe = shrunk_recipe(self.recipe, decided)
        kept = seats_beside(self.state, self.cluster, ranks, unavailable_slots(self.state)) if ranks else None
        seats = (
            place_ranks(self.recipe, self.cluster, frozenset() if ranks is not None else self._unavailable())
            if kept is None
            else keep_seats(self.cluster, [(slot.host, slot.device or 0) for slot in kept])
        )
        chosen = [seat for seat in seats if ranks is None or seat.rank in ranks]
        number = self.state.attempt.number + 1 if self.state.attempt is not None else 1
        started = AttemptStarted(
            time=self.now,
            attempt=number,
            ranks=tuple(seat.rank for seat in chosen),
            world_size=self.recipe.ranks,
            hosts=tuple(dict.fromkeys(seat.host.name for seat in chosen)),
            gang=self.recipe.gang,
        )
        self._write([started])
        assert self.state.attempt is not None
        on_host: dict[str, list[Seat]] = {host: [] for host in self.state.attempt.busy_hosts}
        for seat in chosen:
            on_host[seat.host.name].append(seat)
        for host, own in on_host.items():
            hold = self.recipe.gang and len(on_host) > 1
            self._when_reached(self._shims[host], partial(self._launch, attempt=number, seats=own, hold=hold))

    def _unavailable(self) -> frozenset[tuple[str, int | None]]:
        return frozenset((slot.host, slot.device) for slot in unavailable_slots(self.state))

    def _write(self, events: Sequence[Event]) -> None:
        began = process_time()
        self.state = fold(events, self.state)
        self.figures.seconds += process_time() - began
        self.figures.events += len(events)
        self.record += events
        self.on_change(self.state)

    # -- the hosts -------------------------------------------------------------------------------------------------

    def _launch(self, shim: _Shim, attempt: int, seats: Sequence[Seat], hold: bool) -> None:
        if attempt <= shim.attempt or (shim.is_busy and shim.is_stopping):
            self.refused += len(seats)
            return
        shim.attempt, shim.is_busy, shim.is_stopping = attempt, True, False
        if hold:
            shim.held_back = seats
            ready = max(self.now + self._random.random(), shim.ready_after)
            self._at(ready, partial(self._get_ready, shim, attempt))
        else:
            self._start_ranks(shim, seats)

    def _get_ready(self, shim: _Shim, attempt: int) -> None:
        if shim.attempt == attempt and shim.held_back:
            shim.ready_for = attempt
            self._tell(shim, HostReady(time=self.now, attempt=attempt))

    def _go(self, shim: _Shim, attempt: int) -> None:
        if shim.attempt == attempt and shim.is_busy and not shim.is_stopping:
            assert self.state.attempt is not None
            self.premature += any(self._shims[host].ready_for != attempt for host in self.state.attempt.hosts)
            seats, shim.held_back = shim.held_back, ()
            self._start_ranks(shim, seats)

    def _start_ranks(self, shim: _Shim, seats: Sequence[Seat]) -> None:
        if seats and self.recipe.gang:
            self.twins += sum(of < shim.attempt for other in self._shims.values() for of in other.alive.values())
        for seat in seats:
            shim.alive[seat.rank] = shim.attempt
            self._tell(
                shim,
                ProcessStarted(
                    time=self.now,
                    attempt=shim.attempt,
                    name=f"rank {seat.rank}",
                    rank=seat.rank,
                    pid=seat.rank + 1,
                    slot=seat.device.id,
                ),
            )
            lasts = _DURATION + self._random.random()
            self._at(self.now + lasts, partial(self._exit, shim, seat.rank, shim.attempt, 0))
        self._idle_when_empty(shim)

    def _exit(self, shim: _Shim, rank: int, attempt: int, code: int, stopped: bool = False) -> None:
        if shim.alive.get(rank) != attempt:
            return
        del shim.alive[rank]
        self._tell(
            shim,
            ProcessExited(
                time=self.now,
                attempt=attempt,
                name=f"rank {rank}",
                rank=rank,
                pid=rank + 1,
                code=code,
                stopped=stopped,
            ),
        )
        if code and not stopped and self.recipe.gang:
            self._stop(shim, f"rank {rank} failed")
        self._idle_when_empty(shim)

    def _stop(self, shim: _Shim, reason: str, *, fenced: bool = False) -> None:
        if not shim.is_busy or shim.is_stopping:
            return
        shim.is_stopping = True
        shim.held_back = ()
        self._tell(shim, GangStopping(time=self.now, attempt=shim.attempt, reason=reason, fenced=fenced))
        for rank, attempt in shim.alive.items():
            takes = self._random.random() * self.recipe.grace
            self._at(self.now + takes, partial(self._exit, shim, rank, attempt, -15, stopped=True))
        self._idle_when_empty(shim)

    def _idle_when_empty(self, shim: _Shim) -> None:
        if shim.is_busy and not shim.alive and not shim.held_back:
            shim.is_busy = False
            self._tell(shim, HostIdle(time=self.now, attempt=shim.attempt))

    def _tell(self, shim: _Shim, event: Event) -> None:
        """Send the supervisor an event: soon, late, in order, now and then twice."""
        shim.seq += 1
        event = event.model_copy(update={"host": shim.name, "host_seq": shim.seq})
        if self.now < shim.back:
            shim.told.append(event)
        else:
            self._deliver(shim, event)

    def _deliver(self, shim: _Shim, event: Event) -> None:
        late = self._random.random()
        shim.due = max(shim.due, self.now + (late * 0.1 if late < 0.95 else late * 5))
        self._at(shim.due, lambda: self._heard.append(event))
        if self._random.random() < 0.02:
            self._at(shim.due + self._random.random() * 20, lambda: self._heard.append(event))

    def _when_reached(self, shim: _Shim, action: Callable[[_Shim], None]) -> None:
        """Tell a host something as soon as it can be reached, unless nothing is expected of it any more by then."""

        def tell() -> None:
            if self.now < shim.back:
                self._at(shim.back, tell)
            elif self.state.attempt is not None and shim.name in self.state.attempt.busy_hosts:
                action(shim)

        self._at(self.now, tell)

    # -- what goes wrong -------------------------------------------------------------------------------------------

    def _happen(self, fault: Fault) -> None:
        attempt = self.state.attempt
        if attempt is None or self.state.phase.ended:
            return
        rank = self.state.ranks[fault.number % self.state.world_size]
        host = self.state.hosts[fault.number % len(self.state.hosts)]
        shim = self._shims[host]
        match fault.kind:
            case "exit" if rank.host is not None:
                self._verdicts[rank.rank, rank.attempt] = fault
                self._exit(self._shims[rank.host], rank.rank, rank.attempt, 1)
                if self.recipe.gang and self.state.world_size > 1:  # another fails in its wake
                    other = self.state.ranks[(rank.rank + 1) % self.state.world_size]
                    if other.host is not None:
                        self._exit(self._shims[other.host], other.rank, other.attempt, 1)
            case "hang" if attempt.busy_hosts:
                limit = 60.0
                self._heard.append(
                    HangFound(time=self.now, attempt=attempt.number, since=self.now - limit, limit=limit, fatal=True)
                )
            case "unreachable":
                self._lose_sight(shim, fault.seconds)
            case "shim_lost" if shim.is_busy and host in attempt.busy_hosts:
                shim.alive.clear()
                shim.held_back = ()
                shim.is_busy = False
                shim.told.clear()
                self._heard.append(ShimLost(time=self.now, host=host, attempt=attempt.number))
            case "slow":
                shim.ready_after = self.now + fault.seconds
            case "progress" if attempt.busy_hosts:
                self._heard.append(Progressed(time=self.now, attempt=attempt.number, step=int(fault.seconds)))
            case "stop":
                self._heard.append(StopRequested(time=self.now, by="me"))
            case "takeover":
                assert fold(self.record) == self.state
            case _:
                pass

    def _lose_sight(self, shim: _Shim, seconds: float) -> None:
        """The host cannot be reached: the supervisor notices, and so does the shim, when its lease runs out."""
        if self.now < shim.back:
            return
        heard = self.now
        back = shim.back = heard + seconds
        attempt = shim.attempt
        reaches: list[tuple[float, Event]] = [
            (SUSPECT_AFTER, HostSuspected(time=heard + SUSPECT_AFTER, host=shim.name)),
            (UNREACHABLE_AFTER, HostUnreachable(time=heard + UNREACHABLE_AFTER, host=shim.name, heard=heard)),
        ]
        for silence, event in reaches:
            if silence < seconds:
                self._at(heard + silence, partial(self._miss, shim, event))
        if seconds > self.recipe.lease:
            reason = f"nothing was heard of the supervisor for {self.recipe.lease:g} s (lease)"
            lease = heard + self.recipe.lease
            self._at(lease, lambda: self._stop(shim, reason, fenced=True) if shim.attempt == attempt else None)
        self._at(back, lambda: self._come_back(shim))

    def _miss(self, shim: _Shim, event: Event) -> None:
        attempt = self.state.attempt
        if attempt is not None and shim.name in attempt.busy_hosts:
            self._heard.append(event)

    def _come_back(self, shim: _Shim) -> None:
        if shim.name in self.state.unwell_hosts:
            self._heard.append(HostBack(time=self.now, host=shim.name))
        told, shim.told = shim.told, []
        for event in told:
            self._deliver(shim, event)

    def _at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._agenda, (time, next(self._order), action))


def shrunk_recipe(recipe: Recipe, decided: Decided) -> Recipe:
    """The recipe with the changes of an elastic restart: `ranks`, and `args.accumulation`."""
    changes = dict(override.split("=") for override in decided.overrides)
    args = dict(recipe.args) if not isinstance(recipe.args, tuple) else {}
    args["accumulation"] = int(changes["args.accumulation"])
    return recipe.model_copy(update={"ranks": int(changes["ranks"]), "args": FrozenMap(args)})


def job(ranks: int, policy: RestartPolicy = RestartPolicy.GROUP, max_restarts: int = 3, **restart: object) -> Recipe:
    """A recipe of so many ranks; those of policy `ranks` are independent."""
    does_restart = policy is not RestartPolicy.NEVER
    return recipe_from_mapping(
        {
            "name": "job",
            "framework": "plain",
            "ranks": ranks,
            "script": "train.py",
            "args": {"batch_size": 4, "accumulation": 1},
            "knobs": {"micro_batch": "args.batch_size", "accumulation": "args.accumulation"},
            "gang": policy is not RestartPolicy.RANKS,
            "restart": {"policy": policy.value, "max_restarts": max_restarts if does_restart else 0, **restart},
        }
    )


def cluster_of(hosts: int, devices: int) -> Cluster:
    """A cluster of so many hosts with so many places each."""
    return Cluster.model_validate(
        {
            "name": "lab",
            "soc": "CPU",
            "hosts": tuple(
                {"name": f"h{n}", "address": f"10.{n >> 8}.{n & 255}.1", "devices": devices} for n in range(hosts)
            ),
        }
    )


def random_faults(random: Random, faults: int, ranks: int, within: float) -> list[Fault]:
    """So many faults of all kinds that a run meets by itself, at random moments."""
    kinds: tuple[Kind, ...] = ("exit", "exit", "exit", "hang", "unreachable", "unreachable", "shim_lost")
    return [
        Fault(
            kind=random.choice(kinds),
            at=random.random() * within,
            number=random.randrange(ranks),
            cause=random.choice(tuple(Cause)),
            seconds=random.choice((1.0, 5.0, 20.0, 65.0, 300.0)),
        )
        for _ in range(faults)
    ]
