"""What has become of a run that nobody keeps is asked of a new keeper, however long that takes to come up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from launcher.runs.events import AttemptStarted, Event, HostIdle, RunCreated, RunEnded, encode
from launcher.runs.lock import Lock
from launcher.runs.state import RunPhase
from launcher.runs.store import RunDirectory, create_run
from launcher.supervise import followed_record
from launcher.supervise.followed_record import settle

RUNNING: tuple[Event, ...] = (
    RunCreated(time=1.0, run="job-0000", name="job", framework="any", target="cpu", world_size=1, hosts=("here",)),
    AttemptStarted(time=1.0, attempt=1, ranks=(0,)),
)
IDLE = HostIdle(time=1.5, host="here", host_seq=1, attempt=1)


@pytest.fixture
def run(home: Path) -> RunDirectory:
    return create_run("job", "", "name: c\nhosts: [{name: here, address: 127.0.0.1}]", 1.0)


class Keeper:
    """One that is started when it is asked for, has the run's lock after a while, and writes its end after another.

    Time passes where somebody sleeps.
    """

    def __init__(self, run: RunDirectory, takes: float, writes: float) -> None:
        self.now = 0.0
        self.dies = False
        self._run = run
        self._lock = run.lock()
        self._takes, self._writes = takes, writes
        self._due: list[tuple[float, Callable[[], object]]] = []

    def start(self, _run: RunDirectory) -> Keeper:
        taken = self.now + self._takes
        self._due = [(taken, self._lock.try_acquire), (taken + self._writes, self._write)]
        return self

    def poll(self) -> int | None:
        return 1 if self.dies else None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        while self._due and self._due[0][0] <= self.now:
            self._due.pop(0)[1]()

    def _write(self) -> None:
        with self._run.writer() as writer:
            writer.append([RunEnded(time=2.0, outcome="lost", reason="power loss")])
        self._lock.release()


Keepers = Callable[[float, float], Keeper]


@pytest.fixture
def keeper(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> Keepers:
    def started(takes: float, writes: float) -> Keeper:
        keeper = Keeper(run, takes, writes)
        monkeypatch.setattr(followed_record, "time", keeper)
        monkeypatch.setattr(followed_record, "ensure_kept", keeper.start)
        return keeper

    return started


@pytest.mark.parametrize(("takes", "writes"), [(0.5, 0.1), (8.0, 5.0), (29.0, 9.0)])
def test_a_slow_keeper_is_waited_for(run: RunDirectory, keeper: Keepers, takes: float, writes: float) -> None:
    kept = keeper(takes, writes)
    state = settle(run)
    assert (state.phase, state.reason) == (RunPhase.LOST, "power loss")
    assert kept.now < 2.2 + takes + writes


@pytest.fixture
def shim(run: RunDirectory) -> Iterator[Path]:
    """The journal of a shim that lives, of a run whose rank is known to run."""
    with run.writer() as writer:
        writer.append(RUNNING)
    lock = Lock(run.shim_lock("here"))
    run.shim_lock("here").parent.mkdir(parents=True)
    assert lock.try_acquire()
    yield run.shim_journal("here")
    lock.release()


def test_a_keeper_that_finds_ranks_running_is_not_waited_for(run: RunDirectory, keeper: Keepers, shim: Path) -> None:
    kept = keeper(1.0, 1000.0)
    assert settle(run).phase is RunPhase.RUNNING
    assert kept.now < 3.2


def test_what_a_shim_has_to_tell_of_its_ranks_is_waited_for(run: RunDirectory, keeper: Keepers, shim: Path) -> None:
    shim.write_bytes(encode(IDLE))
    kept = keeper(1.0, 5.0)
    assert settle(run).phase is RunPhase.LOST
    assert kept.now < 8.2


def test_what_follows_from_the_end_of_all_ranks_is_waited_for(run: RunDirectory, keeper: Keepers, shim: Path) -> None:
    shim.write_bytes(encode(IDLE))
    with run.writer() as writer:
        writer.append([IDLE])
    kept = keeper(1.0, 5.0)
    assert settle(run).phase is RunPhase.LOST
    assert kept.now < 8.2


def test_a_run_that_is_supervised_is_not_waited_for(run: RunDirectory, keeper: Keepers) -> None:
    lock = run.lock()
    assert lock.try_acquire()
    kept = keeper(1.0, 1.0)
    assert not settle(run).phase.ended
    assert kept.now == 0
    lock.release()


def test_a_keeper_that_never_comes_holds_nobody_up_for_ever(run: RunDirectory, keeper: Keepers) -> None:
    kept = keeper(1000.0, 1.0)
    assert settle(run).phase is RunPhase.LOST
    assert 30 < kept.now < 33


def test_elsewhere_no_keeper_is_started_nor_waited_for(
    run: RunDirectory, keeper: Keepers, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = keeper(1.0, 1.0)
    monkeypatch.setattr(followed_record, "ensure_kept", lambda _: None)
    settle(run)
    assert 2 <= kept.now < 2.2


def test_a_keeper_that_dies_at_once_is_not_waited_for(run: RunDirectory, keeper: Keepers) -> None:
    kept = keeper(1000.0, 1.0)
    kept.dies = True
    assert settle(run).phase is RunPhase.LOST
    assert kept.now < 2.2
